#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace wf {

/// Calls work(i) for i in [0, count) from `threads` threads. An exception ends it early; of
/// several, the one with the smallest `i` is rethrown.
template <typename Work>
void in_parallel(int64_t count, int threads, const Work& work) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  int64_t failed = count;
  std::exception_ptr problem;
  const auto run = [&] {
    for (int64_t i; (i = next++) < count;) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed) failed = i, problem = std::current_exception();
        next = count;
      }
    }
  };
  std::vector<std::thread> pool;
  for (int64_t i = 1; i < std::min<int64_t>(threads, count); ++i) pool.emplace_back(run);
  run();
  for (auto& thread : pool) thread.join();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace wf
