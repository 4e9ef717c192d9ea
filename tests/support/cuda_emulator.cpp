#include "support/cuda_emulator.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef __SANITIZE_THREAD__
extern "C" void AnnotateIgnoreSyncBegin(const char* file, int line);
extern "C" void AnnotateIgnoreSyncEnd(const char* file, int line);
#endif

namespace wf::emulator {
namespace {

constexpr unsigned kLanes = 32, kMaxThreads = 1024;

[[noreturn]] void give_up(const std::string& problem) {
  std::fprintf(stderr, "wf::emulator: %s\n", problem.c_str());
  std::abort();
}

// Threads sleep on futexes, not on condition variables: whoever takes a mutex is ordered after all
// who held it before, and ThreadSanitizer would miss races between them.

// False when the timeout came first.
bool sleep_while(const std::atomic<uint32_t>& word, uint32_t value,
                 const timespec* timeout = nullptr) {
  return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, timeout, nullptr, 0) == 0 ||
         errno != ETIMEDOUT;
}
void wake_all(const std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, kMaxThreads + 1, nullptr, nullptr, 0);
}
uint32_t wait_for_change(const std::atomic<uint32_t>& word, uint32_t value) {
  // With many threads for each core the change is mostly there after a turn or two of the others,
  // which halves the time compared with only futexes.
  for (int turn = 0; turn < 4 && word.load(std::memory_order_acquire) == value; ++turn) {
    std::this_thread::yield();
  }
  while (word.load(std::memory_order_acquire) == value) sleep_while(word, value);
  return word.load(std::memory_order_relaxed);
}

// Hides the synchronization within a scope from ThreadSanitizer.
struct [[maybe_unused]] OrdersNothing {
#ifdef __SANITIZE_THREAD__
  OrdersNothing() { AnnotateIgnoreSyncBegin(__FILE__, __LINE__); }
  ~OrdersNothing() { AnnotateIgnoreSyncEnd(__FILE__, __LINE__); }
#endif
};

class alignas(64) Barrier {
 public:
  void reset(unsigned threads) { state_.store(threads * kOneLive, std::memory_order_relaxed); }

  /// The last one to arrive calls `finish` before it lets the others go.
  template <class Finish>
  void wait(Finish&& finish) {
    // The phase cannot end before this thread has arrived.
    const uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (complete(state_.fetch_add(kOneWaiting, std::memory_order_acq_rel) + kOneWaiting)) {
      finish();
      next_phase();
    } else {
      wait_for_change(phase_, phase);
    }
  }
  void wait() {
    wait([] {});
  }

  /// The calling thread will not arrive any more; others may be waiting for it.
  void leave() {
    const uint64_t now = state_.fetch_sub(kOneLive, std::memory_order_acq_rel) - kOneLive;
    if (now != 0 && complete(now)) next_phase();
  }

  uint32_t phase() const { return phase_.load(std::memory_order_relaxed); }
  uint64_t waiting() const { return state_.load(std::memory_order_relaxed) % kOneLive; }

 private:
  // Both counts in one word, so that they change together.
  static constexpr uint64_t kOneWaiting = 1, kOneLive = uint64_t{1} << 32;
  static bool complete(uint64_t state) { return state / kOneLive == state % kOneLive; }

  void next_phase() {
    const uint64_t live = state_.load(std::memory_order_relaxed) / kOneLive;
    state_.store(live * kOneLive, std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
    wake_all(phase_);
  }

  std::atomic<uint64_t> state_{0};
  std::atomic<uint32_t> phase_{0};
};

// Each operation that exchanges values has a turn, from 1. The lanes of a warp write for odd and
// even turns to different places: whoever is in turn n + 2 knows that all have read turn n.
class Warp {
 public:
  void reset(unsigned lanes) {
    barrier.reset(lanes);
    for (auto& letters : mail_) letters[0].turn = letters[1].turn = 0;
  }

  void give(unsigned lane, uint32_t turn, uint64_t bits) {
    Letter& letter = mail_[lane][turn % 2];
    letter.turn.store(turn, std::memory_order_relaxed);
    letter.bits.store(bits, std::memory_order_relaxed);
    barrier.wait();
  }
  uint64_t take(unsigned lane, uint32_t turn) const {
    const Letter& letter = mail_[lane][turn % 2];
    if (letter.turn.load(std::memory_order_relaxed) != turn) return ~uint64_t{0};
    return letter.bits.load(std::memory_order_relaxed);
  }

  Barrier barrier;

 private:
  struct Letter {
    std::atomic<uint32_t> turn{0};
    std::atomic<uint64_t> bits{0};
  };
  std::array<std::array<Letter, 2>, kLanes> mail_;
};

struct Self {
  unsigned lane = 0;
  uint32_t turn = 0;
  Warp* warp = nullptr;
};
thread_local Self self;

struct Grid {
  dim3 size, block;
  size_t shared_bytes = 0;
  const std::function<void()>* body = nullptr;

  unsigned threads() const { return block.x * block.y * block.z; }
  uint64_t blocks() const { return uint64_t{size.x} * size.y * size.z; }
  uint3 block_index(uint64_t number) const {
    if (options().reverse_blocks) number = blocks() - 1 - number;
    return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(number / size.x % size.y),
            static_cast<unsigned>(number / size.x / size.y)};
  }
};

// One thread for each thread of the largest block so far, kept until the program ends.
class Machine {
 public:
  static Machine& instance() {
    static Machine machine;
    return machine;
  }

  ~Machine() {
    grid_ = {};
    start();
    for (auto& thread : threads_) thread.join();
  }

  void run(const Grid& grid) {
    const std::lock_guard lock(one_launch_);
    grid_ = grid;
    problem_ = nullptr;
    next_block_ = 0;
    end_of_block_.reset(grid.threads());
    open_next_block();
    while (threads_.size() < grid.threads()) {
      const auto rank = static_cast<unsigned>(threads_.size());
      threads_.emplace_back([this, rank, launches = launches_.load()] { work(rank, launches); });
    }
    start();
    watch();
    shared_ = {};
    if (problem_) std::rethrow_exception(problem_);
  }

  void* shared() { return shared_.data(); }
  Barrier& barrier() { return barrier_; }

 private:
  void start() {
    busy_.store(static_cast<uint32_t>(threads_.size()), std::memory_order_relaxed);
    launches_.fetch_add(1, std::memory_order_release);
    wake_all(launches_);
  }

  void work(unsigned rank, uint32_t launches) {
    while (true) {
      launches = wait_for_change(launches_, launches);
      if (grid_.body == nullptr) return;
      if (rank < grid_.threads()) run_blocks(rank);
      if (busy_.fetch_sub(1, std::memory_order_release) == 1) wake_all(busy_);
    }
  }

  void run_blocks(unsigned rank) {
    blockDim = grid_.block;
    gridDim = grid_.size;
    threadIdx = {rank % blockDim.x, rank / blockDim.x % blockDim.y, rank / blockDim.x / blockDim.y};
    while (open_) {
      blockIdx = block_;
      self = {rank % kLanes, 0, &warps_[rank / kLanes]};
      try {
        (*grid_.body)();
      } catch (...) {
        const std::lock_guard lock(problem_mutex_);
        if (!problem_) problem_ = std::current_exception();
      }
      self.warp->barrier.leave();
      barrier_.leave();
      end_of_block_.wait([this] { open_next_block(); });
    }
  }

  void open_next_block() {
    open_ = next_block_ < grid_.blocks() && !problem_;
    if (!open_) return;
    block_ = grid_.block_index(next_block_++);
    // Allocated for each block, so that AddressSanitizer detects a pointer kept from the previous
    // block.
    shared_ = std::vector<unsigned char>(grid_.shared_bytes, 0xFF);
    const unsigned threads = grid_.threads();
    barrier_.reset(threads);
    for (unsigned first = 0; first < threads; first += kLanes) {
      warps_[first / kLanes].reset(std::min(kLanes, threads - first));
    }
  }

  // Waits until all threads are done.
  void watch() {
    const auto limit = options().timeout.count();
    const timespec timeout{limit / 1000, limit % 1000 * 1000000};
    uint64_t before = progress();
    while (const uint32_t busy = busy_.load(std::memory_order_acquire)) {
      if (sleep_while(busy_, busy, &timeout)) continue;
      const uint64_t now = progress();
      if (now == before) give_up("no progress for " + std::to_string(limit) + " ms: " + state());
      before = now;
    }
  }

  uint64_t progress() const {
    uint64_t phases = uint64_t{barrier_.phase()} + end_of_block_.phase() + busy_;
    for (const auto& warp : warps_) phases += warp.barrier.phase();
    return phases;
  }

  std::string state() const {
    const uint64_t at_barrier = barrier_.waiting(), done = end_of_block_.waiting();
    uint64_t in_warps = 0;
    for (const auto& warp : warps_) in_warps += warp.barrier.waiting();
    return std::to_string(at_barrier) + " threads wait at __syncthreads, " +
           std::to_string(in_warps) + " at warp operations, " + std::to_string(done) +
           " have left the kernel, " +
           std::to_string(grid_.threads() - at_barrier - in_warps - done) +
           " run: a divergent barrier? (WF_EMULATOR_TIMEOUT sets the seconds)";
  }

  std::mutex one_launch_;
  std::vector<std::thread> threads_;
  Grid grid_;
  std::atomic<uint32_t> launches_{0};  // changes when the threads shall begin
  std::atomic<uint32_t> busy_{0};      // threads that have not finished this launch

  // The block that runs; changed while no thread of it is in the kernel.
  bool open_ = false;
  uint64_t next_block_ = 0;
  uint3 block_;
  std::vector<unsigned char> shared_;
  Barrier barrier_, end_of_block_;
  std::array<Warp, kMaxThreads / kLanes> warps_;

  std::mutex problem_mutex_;
  std::exception_ptr problem_;
};

void check_whole_warp(unsigned mask, int width) {
  if (mask != 0xFFFFFFFFu || width != warpSize) {
    give_up("a warp operation with a mask or width other than all 32 lanes is not emulated");
  }
}

void give(unsigned mask, uint64_t bits, int width) {
  check_whole_warp(mask, width);
  self.warp->give(self.lane, ++self.turn, bits);
}

}  // namespace

Options& options() {
  static Options options = [] {
    Options from_environment;
    const char* order = std::getenv("WF_EMULATOR_ORDER");
    const char* timeout = std::getenv("WF_EMULATOR_TIMEOUT");
    from_environment.reverse_blocks = order != nullptr && std::string(order) == "reverse";
    if (timeout != nullptr) from_environment.timeout = std::chrono::seconds(std::atoi(timeout));
    return from_environment;
  }();
  return options;
}

void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body) {
  const Grid launched{grid, block, shared_bytes, &body};
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (launched.blocks() == 0 || threads == 0 || threads > kMaxThreads) {
    throw std::invalid_argument("wf::emulator: a launch of " + std::to_string(launched.blocks()) +
                                " blocks of " + std::to_string(threads) + " threads");
  }
  Machine::instance().run(launched);
}

void* dynamic_shared_memory() { return Machine::instance().shared(); }
void sync_block() { Machine::instance().barrier().wait(); }
void sync_warp(unsigned mask) {
  check_whole_warp(mask, warpSize);
  self.warp->barrier.wait();
}
unsigned lane() { return self.lane; }

uint64_t shuffle(unsigned mask, uint64_t bits, unsigned source, int width) {
  const OrdersNothing hidden;
  give(mask, bits, width);
  return self.warp->take(source, self.turn);
}

unsigned ballot(unsigned mask, bool predicate) {
  const OrdersNothing hidden;
  give(mask, predicate, warpSize);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    votes |= (self.warp->take(lane, self.turn) == 1 ? 1u : 0u) << lane;
  }
  return votes;
}

// --- Watched memory -------------------------------------------------------------------------

namespace {

// Changes only between launches.
std::vector<Watch*>& watches() {
  static std::vector<Watch*> all;
  return all;
}

}  // namespace

Watch::Watch(const void* begin, size_t bytes)
    : begin_(static_cast<const char*>(begin)), bytes_(bytes) {
  watches().push_back(this);
}
Watch::~Watch() {
  auto& all = watches();
  all.erase(std::find(all.begin(), all.end(), this));
}
bool Watch::holds(const void* address) const {
  const auto* at = static_cast<const char*>(address);
  return at >= begin_ && at < begin_ + bytes_;
}

void note_load(const void* address, size_t bytes) {
  for (auto* watch : watches()) {
    if (watch->holds(address)) watch->loaded_.fetch_add(bytes, std::memory_order_relaxed);
  }
}
void note_store(const void* address, size_t bytes) {
  for (auto* watch : watches()) {
    if (watch->holds(address)) watch->stored_.fetch_add(bytes, std::memory_order_relaxed);
  }
}

}  // namespace wf::emulator
