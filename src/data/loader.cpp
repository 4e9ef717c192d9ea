#include "weightformer/data/loader.h"

#include "data/batch_memory.h"
#include "data/device_copy.h"
#include "data/image/decode.h"
#include "data/image/image_decoder.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

namespace wf {
namespace {

// Streams that keep these draws apart from each other and from the sampler's.
constexpr uint64_t kAugment = 0x617567, kReplace = 0x726570;
constexpr std::chrono::milliseconds kLook{100};  // how often a wait looks for a stop
constexpr int kReplacements = 100;  // give up after this many consecutive unreadable samples

}  // namespace

class Loader::Impl : public std::enable_shared_from_this<Loader::Impl> {
 public:
  Impl(std::shared_ptr<const SampleReader> reader, Sampler sampler, LoaderOptions options)
      : reader_(std::move(reader)),
        sampler_(std::move(sampler)),
        options_(options),
        memory_(options.pin_memory && !options.device.is_cpu(), 2 * (options.prefetch + 2)) {
    if (!options_.device.is_cpu()) copy_.emplace(options_.device);
    WF_CHECK(options_.batch_size > 0 && options_.workers >= 0 && options_.prefetch > 0,
             "Loader: batch_size and prefetch must be positive and workers not negative");
  }
  int64_t batches() const {
    const int64_t size = sampler_.size(), batch = options_.batch_size;
    return options_.drop_last ? size / batch : (size + batch - 1) / batch;
  }

  void start(int64_t epoch, int64_t first_batch) {
    WF_CHECK(!given_up_, "Loader: it was stopped while a worker hung, and cannot be started again");
    stop();
    epoch_ = epoch;
    order_ = sampler_.epoch(epoch);
    front_ = next_batch_ = std::min(first_batch, batches());
    next_sample_ = 0;
    waited_ = {};
    stopping_ = false;
    start_workers();
  }

  bool next(Batch& batch) {
    if (!copy_) return take(batch);
    if (!copy_->under_way() && !begin_copy()) return false;
    batch = copy_->finish();
    if (next_is_ready()) begin_copy();
    return true;
  }

  // Ends the workers. Those that hang after a stop was asked for are left behind with their memory.
  void stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (!given_up_) given_up_ = !wait(lock, [this] { return running_ == 0; });
    lock.unlock();
    for (auto& thread : threads_) given_up_ ? thread.detach() : thread.join();
    threads_.clear();
    if (given_up_) return;
    pending_.clear();
    if (copy_) copy_->drop();
  }

  Batch read(const std::vector<int64_t>& indices) const {
    BatchMemory memory(/*pinned=*/false, /*kept=*/1);
    const auto builder = reader_->begin(static_cast<int64_t>(indices.size()), memory);
    for (size_t slot = 0; slot < indices.size(); ++slot) {
      const auto index = indices[slot], at = static_cast<int64_t>(slot);
      try {
        builder->read(at, index,
                      CounterRng{options_.seed, kAugment, 0, static_cast<uint64_t>(index)});
      } catch (const UnreadableSample&) {  // next() logs it
        builder->mark_unreadable(at);
      }
    }
    auto batch = builder->finish();
    batch.indices = indices;
    return batch;
  }

  const SampleReader& reader() const { return *reader_; }

  double wait_seconds() const { return std::chrono::duration<double>(waited_).count(); }

  int64_t unreadable() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int64_t>(unreadable_.size());
  }

 private:
  struct Pending {
    std::unique_ptr<BatchBuilder> builder;
    std::vector<int64_t> indices;
    int64_t first = 0;      // position of its first sample in the epoch
    int64_t remaining = 0;  // samples still to be read, and finish()
    Batch batch;            // once nothing remains
    std::exception_ptr problem;
  };

  void start_workers() try {
    for (int i = 0; i < options_.workers; ++i) {
      threads_.emplace_back([self = shared_from_this()] { self->work(); });
      const std::lock_guard lock(mutex_);
      ++running_;
    }
  } catch (const std::system_error& problem) {
    throw Error(str("the loader cannot start ", options_.workers, " threads, only ",
                    threads_.size(), ": ", problem.what(), "; lower DATA.NUM_WORKERS"),
                Error::kUnexpected);
  }

  bool begin_copy() {
    Batch host;
    if (!take(host)) return false;
    copy_->begin(std::move(host));
    return true;
  }

  bool next_is_ready() {
    const std::lock_guard lock(mutex_);
    return front_ready() && !pending_.front().problem;
  }

  bool take(Batch& batch) {
    if (front_ >= batches()) return false;
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (options_.workers == 0) {
      while (!front_ready()) make_one(lock);
    } else {
      if (!wait(lock, [this] { return front_ready(); })) give_up();
    }
    waited_ += std::chrono::steady_clock::now() - begin;
    Pending done = std::move(pending_.front());
    pending_.pop_front();
    ++front_;
    lock.unlock();
    changed_.notify_all();
    if (done.problem) std::rethrow_exception(done.problem);
    batch = std::move(done.batch);
    return true;
  }

  // With `mutex_` held from here …

  // Until `done`; false when the process is to stop and that did not come in time.
  template <typename Done>
  bool wait(std::unique_lock<std::mutex>& lock, Done done) {
    std::optional<std::chrono::steady_clock::time_point> asked;
    while (!changed_.wait_for(lock, kLook, done)) {
      if (!stop_requested()) continue;
      const auto now = std::chrono::steady_clock::now();
      if (!asked) asked = now;
      if (std::chrono::duration<double>(now - *asked).count() >= options_.stop_after) return false;
    }
    return true;
  }

  [[noreturn]] void give_up() {
    given_up_ = true;
    const auto what = reading_.empty() ? std::string("nothing") : reader_->name(*reading_.begin());
    throw LoaderStopped(str("no batch came in ", options_.stop_after,
                            " s after the run was asked to stop; still reading ", what));
  }

  bool front_ready() const { return !pending_.empty() && pending_.front().remaining == 0; }

  bool has_work() const {
    return next_batch_ < batches() && next_batch_ < front_ + options_.prefetch;
  }

  void open_batch() {
    const int64_t begin = next_batch_ * options_.batch_size;
    const int64_t count =
        std::min<int64_t>(options_.batch_size, static_cast<int64_t>(order_.size()) - begin);
    Pending pending;
    pending.builder = reader_->begin(count, memory_);
    pending.indices.assign(order_.begin() + begin, order_.begin() + begin + count);
    pending.first = begin;
    pending.remaining = count + 1;
    pending_.push_back(std::move(pending));
  }

  // False when there is no memory for it: next() throws in its turn.
  bool try_open_batch() {
    try {
      open_batch();
      return true;
    } catch (...) {
      Pending failed;
      failed.problem = std::current_exception();
      pending_.push_back(std::move(failed));
      ++next_batch_;
      changed_.notify_all();
      return false;
    }
  }

  // Makes one sample; `lock` is open while it decodes.
  void make_one(std::unique_lock<std::mutex>& lock) {
    if (next_sample_ == 0 && !try_open_batch()) return;
    Pending& target = pending_.back();  // a deque keeps its elements where they are
    const int64_t slot = next_sample_++;
    if (next_sample_ == static_cast<int64_t>(target.indices.size())) {
      ++next_batch_;
      next_sample_ = 0;
    }
    const auto reading = reading_.insert(target.indices[slot]);
    lock.unlock();
    std::exception_ptr problem;
    try {
      fill(target, slot);
    } catch (...) {
      problem = std::current_exception();
    }
    lock.lock();
    reading_.erase(reading);
    if (problem && !target.problem) target.problem = problem;
    if (--target.remaining > 1) return;
    lock.unlock();
    try {
      target.batch = target.builder->finish();
      target.batch.indices = std::move(target.indices);
      target.batch.epoch = epoch_;
      target.builder.reset();
    } catch (...) {
      problem = std::current_exception();
    }
    lock.lock();
    if (problem && !target.problem) target.problem = problem;
    target.remaining = 0;
    changed_.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || has_work(); });
      if (stopping_) break;
      make_one(lock);
    }
    --running_;
    changed_.notify_all();
  }
  // … to here.

  // False for a sample that cannot be read, wherever that is noticed.
  bool try_read(BatchBuilder& builder, int64_t slot, int64_t index, const CounterRng& rng) {
    try {
      builder.read(slot, index, rng);
      return true;
    } catch (const UnreadableSample& problem) {
      bool first = false;
      {
        const std::lock_guard lock(mutex_);
        first = unreadable_.insert(index).second;
      }
      if (first) log::warning("unreadable sample: {}", problem.what());
      return false;
    } catch (const std::bad_alloc&) {
      throw Error(str(reader_->name(index), ": out of memory while it was read; lower ",
                      "DATA.NUM_WORKERS (", options_.workers, "), as each worker holds a sample"),
                  Error::kUnexpected);
    }
  }

  void fill(Pending& pending, int64_t slot) {
    auto& builder = *pending.builder;
    int64_t index = pending.indices[slot];
    const auto key = static_cast<uint64_t>(index), epoch = static_cast<uint64_t>(epoch_);
    CounterRng augment{options_.seed, kAugment, epoch, key};
    const auto repeat = static_cast<uint64_t>(sampler_.repeat(pending.first + slot));
    if (repeat > 0) augment = CounterRng{options_.seed, kAugment, epoch, key, repeat};
    bool read = try_read(builder, slot, index, augment);
    for (int attempt = 0; !read && options_.train; ++attempt) {
      WF_CHECK(attempt < kReplacements, reader_->name(index), ": unreadable, and so were ",
               kReplacements, " samples tried in its place");
      CounterRng rng{options_.seed, kReplace, epoch, key, static_cast<uint64_t>(attempt)};
      index = rng.below(reader_->size());
      read = try_read(builder, slot, index, augment);
    }
    if (!read) builder.mark_unreadable(slot);
    pending.indices[slot] = index;
  }

  const std::shared_ptr<const SampleReader> reader_;
  const Sampler sampler_;
  const LoaderOptions options_;

  std::optional<DeviceCopy> copy_;  // to a GPU

  int64_t epoch_ = 0;
  std::vector<int64_t> order_;
  std::vector<std::thread> threads_;
  std::chrono::steady_clock::duration waited_{};

  mutable std::mutex mutex_;  // for all that follows
  BatchMemory memory_;
  std::condition_variable changed_;
  std::deque<Pending> pending_;  // batches begun and not yet handed out; the first is front_
  int64_t front_ = 0;            // the batch that next() hands out
  int64_t next_batch_ = 0, next_sample_ = 0;  // what a worker makes next
  int running_ = 0;                           // workers that have not ended
  bool stopping_ = false, given_up_ = false;
  std::multiset<int64_t> reading_;  // the samples that workers are at
  std::set<int64_t> unreadable_;
};

Loader::Loader(std::shared_ptr<const SampleReader> reader, Sampler sampler, LoaderOptions options)
    : impl_(std::make_shared<Impl>(std::move(reader), std::move(sampler), options)) {}
Loader::~Loader() { impl_->stop(); }
int64_t Loader::batches() const { return impl_->batches(); }
void Loader::start(int64_t epoch, int64_t first_batch) { impl_->start(epoch, first_batch); }
bool Loader::next(Batch& batch) { return impl_->next(batch); }
Batch Loader::read(const std::vector<int64_t>& indices) const { return impl_->read(indices); }
const SampleReader& Loader::reader() const { return impl_->reader(); }
double Loader::wait_seconds() const { return impl_->wait_seconds(); }
int64_t Loader::unreadable() const { return impl_->unreadable(); }

}  // namespace wf
