// What one step of a run shows before it starts: wf_train --dry-run.
#pragma once

#include "weightformer/engine/observer.h"
#include "weightformer/optim/lr_schedule.h"

#include "core/stopwatch.h"
#include "engine/distributed.h"

#include <memory>
#include <string>

namespace wf {

/// Measures the first step of a training and then asks it to stop.
class FirstStep : public Observer {
 public:
  explicit FirstStep(std::shared_ptr<Distributed> ranks) : ranks_(std::move(ranks)) {}

  bool needs_loss(const StepReport&) const override { return true; }
  void on_start(const TrainState&) override;
  void on_step(const TrainState& state, const StepReport& report) override;

  bool measured() const { return report_.step > 0; }
  const StepReport& report() const { return report_; }
  double seconds() const { return seconds_; }
  const Traffic& before() const { return before_; }    ///< collectives before the step
  const Traffic& traffic() const { return traffic_; }  ///< collectives of the step

 private:
  std::shared_ptr<Distributed> ranks_;
  Stopwatch watch_;
  StepReport report_;
  double seconds_ = 0;
  Traffic before_, traffic_;
};

/// A dozen rates of a schedule with a bar for each, one line per step: "      12  3.1e-05 |####".
std::string rate_table(const LrScheduleOptions& schedule);

/// "all-reduce 28.3 MiB in 4 calls; broadcast 1.2 MiB in 1 call", or "nothing".
std::string show(const Traffic& traffic);

}  // namespace wf
