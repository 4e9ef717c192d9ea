#pragma once

#include "weightformer/engine/observer.h"

#include "core/stopwatch.h"

namespace wf {

/// A progress bar on a terminal; a log line every `print_freq` batches and one per epoch. If no
/// such line is due for a long time, shorter lines show that the run is alive.
class ConsoleObserver : public Observer {
 public:
  explicit ConsoleObserver(int64_t print_freq) : print_freq_(print_freq) {}
  bool needs_loss(const StepReport& next) const override;
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_validation(const TrainState& state, const ValidationReport& report) override;
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;

 private:
  int64_t print_freq_;
  Stopwatch since_drawn_, since_line_;
  bool quiet_long_ = false;  // whether a short line was printed since the last full one
};

/// "val loss 0.6931, top-1 50.00 %, best top-1 51.00 % (EMA)" for each set of weights, a line each.
void log_validation(const std::string& when, const TrainState& state,
                    const ValidationReport& report);

}  // namespace wf
