#pragma once

#include "dist/process_group.h"

#include <memory>
#include <vector>

namespace wf {

/// What the ranks tell each other every step: whether one of them was asked to stop, so that all
/// stop after the same step, and how long each one's own work took. Travels on the CPU while the
/// step computes, so that nobody waits for it.
class StepExchange {
 public:
  explicit StepExchange(std::shared_ptr<ProcessGroup> group) : group_(std::move(group)) {}

  /// At a step's start. `own_seconds`: of the last step, without waiting for others.
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
