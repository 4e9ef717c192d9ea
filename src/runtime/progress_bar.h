// How far a long piece of work is.
#pragma once

#include "core/stopwatch.h"

#include <cstdint>
#include <string>

namespace wf {

/// "train [=====     ] 500/1000 images  20.0 images/s  eta 0:00:25": `done` of `total` after
/// `seconds`. Without speed and time before anything is done.
std::string progress_text(const std::string& what, int64_t done, int64_t total,
                          const std::string& unit, double seconds);

/// Shows progress while it exists: in the last row of a terminal, at most ten times a second;
/// where standard error is not a terminal, a plain log line after a minute and each minute after
/// it, so that short work prints nothing. For one thread.
class ProgressBar {
 public:
  ProgressBar(std::string what, int64_t total, std::string unit = "images");
  ~ProgressBar();  ///< clears the row
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `done`: of the total, since the bar was made. Call it as often as convenient.
  void show(int64_t done);

 private:
  std::string what_, unit_;
  int64_t total_;
  bool drawn_ = false;
  Stopwatch since_begin_, since_shown_;
};

}  // namespace wf
