#include "checkpoint/background_saver.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/stopwatch.h"
#include "runtime/log.h"

#include <algorithm>
#include <exception>
#include <new>

namespace wf {
namespace {

void write_file(const SaveJob& job, const std::string& path) {
  try {
    job.snapshot->write(path);
  } catch (const DiskFull&) {
    if (!job.make_room || !job.make_room()) throw;
    job.snapshot->write(path);
  }
}

void write(const SaveJob& job) {
  const Stopwatch watch;
  if (job.prepare) job.prepare();
  // The best file comes first: otherwise a process that is killed between the two would leave a
  // checkpoint that refers to a missing best one.
  if (!job.best_path.empty()) {
    write_file(job, job.best_path);
    log::info("saved {} in {:.2f} s", job.best_path, watch.seconds());
  }
  if (job.path.empty()) return;
  if (job.best_path.empty() || !link_file(job.best_path, job.path)) write_file(job, job.path);
  log::info("saved {} in {:.2f} s", job.path, watch.seconds());
  if (job.written) job.written();
}

}  // namespace

BackgroundSaver::BackgroundSaver(std::chrono::milliseconds retry_after)
    : retry_after_(retry_after), thread_([this] { run(); }) {}

BackgroundSaver::~BackgroundSaver() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundSaver::wait_for_writer() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !writing_ && (waiting_.empty() || !due()); });
}

void BackgroundSaver::submit(SaveJob job) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& old : waiting_) {
      if (!job.path.empty()) old.path.clear();
      if (!job.best_path.empty()) old.best_path.clear();
    }
    waiting_.erase(
        std::remove_if(waiting_.begin(), waiting_.end(),
                       [](const auto& old) { return old.path.empty() && old.best_path.empty(); }),
        waiting_.end());
    waiting_.push_back(std::move(job));
    not_before_ = {};
  }
  changed_.notify_all();
}

void BackgroundSaver::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !writing_; });
  if (waiting_.empty()) return;
  problem_.clear();
  flushing_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !writing_ && (waiting_.empty() || !problem_.empty()); });
  flushing_ = false;
  if (waiting_.empty()) return;
  waiting_.clear();
  // Not an error of the settings, so a launcher may restart the run.
  constexpr int kNotSaved = 1;
  throw Error(str("checkpoint not saved: ", problem_,
                  ". After fixing this, the same command resumes from the last one"),
              kNotSaved);
}

bool BackgroundSaver::due() const { return flushing_ || ending_ || Clock::now() >= not_before_; }

void BackgroundSaver::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (waiting_.empty()) {
      if (ending_) return;
      changed_.wait(lock);
      continue;
    }
    if (!due()) {
      changed_.wait_until(lock, not_before_);
      continue;
    }
    auto job = std::move(waiting_.front());
    waiting_.pop_front();
    writing_ = true;
    lock.unlock();
    std::string problem;
    try {
      write(job);
    } catch (const std::bad_alloc&) {
      problem = "out of memory";
    } catch (const std::exception& failure) {
      problem = failure.what();
    }
    lock.lock();
    writing_ = false;
    problem_ = problem;
    if (!problem.empty()) {
      if (!flushing_) {
        log::error(
            "checkpoint not saved: {}; training continues{}", problem,
            ending_ ? "" : fmt::format(", next try in {:.0f} s", retry_after_.count() / 1e3));
      }
      not_before_ = Clock::now() + retry_after_;
      flushing_ = false;  // one try; flush() reports the result
      if (!ending_) waiting_.push_front(std::move(job));
    }
    changed_.notify_all();
  }
}

}  // namespace wf
