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

/// A snapshot to be written under one or two names.
struct SaveJob {
  std::shared_ptr<const Snapshot> snapshot;
  std::string path, best_path;    ///< either may be empty
  std::function<void()> prepare;  ///< called by the writing thread before it writes
  std::function<void()> written;  ///< called by the writing thread once `path` is complete
  /// Called by the writing thread when the disk is full; true if the write may now succeed.
  std::function<bool()> make_room;
};

/// Writes snapshots in a background thread, one at a time. A failed write is logged as an error and
/// retried later, unless there is a newer snapshot for the same name.
class BackgroundSaver {
 public:
  explicit BackgroundSaver(std::chrono::milliseconds retry_after);
  /// Writes the pending snapshots, retrying a failed one once.
  ~BackgroundSaver();
  BackgroundSaver(const BackgroundSaver&) = delete;
  BackgroundSaver& operator=(const BackgroundSaver&) = delete;

  /// Waits until no write is in progress, so that at most one snapshot is being written and one is
  /// waiting.
  void wait_for_writer();
  void submit(SaveJob job);
  /// Waits until everything is on the disk; throws wf::Error when the last try failed, and drops
  /// the unwritten snapshot.
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
