// What the trainer tells about a run, and those who listen: terminal and log, metrics file.
#pragma once

#include "weightformer/engine/train_state.h"

#include "core/stopwatch.h"
#include "engine/classification/evaluator.h"

#include <optional>
#include <string>

namespace wf {

struct StepReport {
  int64_t epoch = 0, epochs = 0;   ///< from 0; of how many
  int64_t batch = 0, batches = 0;  ///< trained so far in this epoch; of how many
  double lr = 0;                   ///< that the step ran at
  double images_per_s = 0;         ///< since the start of the epoch
  double data_wait = 0;            ///< share of the epoch so far spent waiting for pictures, 0…1
  double seconds_left = 0;         ///< in this epoch, at that speed
  // Known on the steps that are printed; elsewhere asking would make the device wait.
  bool measured = false;
  double loss = 0;       ///< mean over the epoch so far
  double grad_norm = 0;  ///< of this step, before clipping

  bool last_of_epoch() const { return batch == batches; }
};

struct EpochReport {
  int64_t epoch = 0;
  bool last = false;  ///< of the run
  double train_loss = 0;
  Evaluation validation;
  std::optional<Evaluation> averaged;  ///< of the averaged weights, where a run has them
  double lr = 0;
  double images_per_s = 0;  ///< training
  double data_wait = 0;     ///< share of training time spent waiting for pictures, 0…1
  int64_t unreadable = 0;   ///< training pictures replaced so far
  bool best = false;        ///< highest top-1 so far, of either weights
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_start(const TrainState&) {}
  virtual void on_step(const TrainState&, const StepReport&) {}
  /// After an epoch's training, before its validation. Of the report `epoch`, `last` and what
  /// training measured are known.
  virtual void on_trained(const TrainState&, const EpochReport&) {}
  /// After an epoch's training and validation; `progress` already stands at the next epoch.
  virtual void on_epoch(const TrainState&, const EpochReport&) {}
  /// The run ends early, in the middle of an epoch, and can be resumed.
  virtual void on_stop(const TrainState&) {}
};

/// A progress bar on a terminal, a log line every `print_freq` batches elsewhere, one an epoch.
class ConsoleObserver : public Observer {
 public:
  explicit ConsoleObserver(int64_t print_freq) : print_freq_(print_freq) {}
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_epoch(const TrainState& state, const EpochReport& report) override;

 private:
  int64_t print_freq_;
  Stopwatch since_drawn_;
};

/// One JSON object a line and epoch: epoch, train_loss, val_loss, val_acc1, val_acc5 (percent), lr,
/// images_per_s, data_wait, the counts of unreadable pictures, and val_ema_loss, val_ema_acc1 and
/// val_ema_acc5 in a run with averaged weights. A resumed run first drops the
/// lines of epochs that it will train again. The file is replaced as a whole, so that a line which
/// a full disk refused is written with the next.
class MetricsObserver : public Observer {
 public:
  explicit MetricsObserver(std::string path) : path_(std::move(path)) {}
  void on_start(const TrainState& state) override;
  void on_epoch(const TrainState& state, const EpochReport& report) override;

 private:
  std::string path_, lines_;
};

}  // namespace wf
