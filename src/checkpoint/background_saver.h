#pragma once

#include "checkpoint/checkpoint.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace wf {

/// A snapshot on its way to the disk, under one name or two.
struct SaveJob {
  std::shared_ptr<const Snapshot> snapshot;
  std::string path, best_path;    ///< either may be empty
  std::function<void()> prepare;  ///< called by the writing thread before it writes
  std::function<void()> written;  ///< called by the writing thread once `path` is complete
};

/// Writes snapshots in a thread of its own, one at a time. What cannot be written is an error line
/// and is tried again later, unless a newer snapshot for the same name has come.
class BackgroundSaver {
 public:
  explicit BackgroundSaver(std::chrono::milliseconds retry_after);
  /// Writes what is left, once more if that failed before.
  ~BackgroundSaver();
  BackgroundSaver(const BackgroundSaver&) = delete;
  BackgroundSaver& operator=(const BackgroundSaver&) = delete;

  /// Returns once nothing is being written, so that at most one snapshot is in flight and one
  /// waits.
  void wait_for_writer();
  void submit(SaveJob job);
  /// Returns once everything is on the disk; throws wf::Error when the last try failed, and forgets
  /// what could not be written.
  void flush();

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  bool due() const;

  std::chrono::milliseconds retry_after_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SaveJob> waiting_;
  Clock::time_point not_before_{};
  std::string problem_;  // of the last try; empty: it succeeded
  bool writing_ = false, flushing_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace wf
