#pragma once

#include "dist/process_group.h"

#include <memory>
#include <vector>

namespace wf {

/// Values that the ranks exchange in every step: whether one of them was asked to stop, so that all
/// stop after the same step, and the duration of each rank's own work. Reduced on the CPU while the
/// step computes, so that no rank waits for it.
class StepExchange {
 public:
  explicit StepExchange(std::shared_ptr<ProcessGroup> group) : group_(std::move(group)) {}

  /// At a step's start. `own_seconds`: of the last step, excluding the wait for other ranks.
  void begin(bool stop, double own_seconds);

  struct Answer {
    bool stop = false;            ///< one rank or more was asked to
    std::vector<double> seconds;  ///< by rank
  };
  /// At the same step's end.
  Answer finish();

 private:
  std::shared_ptr<ProcessGroup> group_;
  at::Tensor values_;  // [1 + world] float64: stop requests, then the seconds of each rank
  ProcessGroup::Pending pending_;
};

}  // namespace wf
