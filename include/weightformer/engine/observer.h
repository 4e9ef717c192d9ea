#pragma once

#include "weightformer/engine/metrics.h"
#include "weightformer/engine/train_state.h"
#include "weightformer/engine/validation_details.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace wf {

/// After an optimizer step.
struct StepReport {
  int64_t epoch = 0, epochs = 0;   ///< index of the epoch, from 0; number of epochs
  int64_t batch = 0, batches = 0;  ///< trained so far in this epoch; to train in it
  int64_t step_batches = 1;        ///< micro-batches of a step
  int64_t step = 0;                ///< optimizer steps so far
  double lr = 0;                   ///< learning rate of this step
  double images_per_s = 0;         ///< since the start of the epoch
  double data_wait = 0;            ///< fraction of the epoch so far spent waiting for the loader
  double seconds_left = 0;         ///< in this epoch, at that speed
  /// Whether the fields below are known. Reading them synchronizes with the device, so it happens
  /// only in steps for which an observer asked (Observer::needs_loss).
  bool has_loss = false;
  double loss = 0;         ///< mean over the epoch so far
  double window_loss = 0;  ///< mean since the last step with a loss
  double grad_norm = 0;    ///< of this step, before clipping
  double memory_mib = 0;   ///< most memory so far of this process, on a GPU of its tensors
  Metrics metrics;         ///< of the task: Task::step_metrics()

  bool last_of_epoch() const { return batch == batches; }
};

/// One validation: of the trained weights and of each EMA.
struct ValidationReport {
  Metrics trained;
  std::vector<Metrics> ema;               ///< in the order of TrainState::emas
  const MetricSpec* selection = nullptr;  ///< the metric that selects the best checkpoint
  bool best = false;                      ///< best value of it so far, of any of the weights
  /// Of the trained weights; null: the task has none.
  std::shared_ptr<const ValidationDetails> details;
};

struct EpochReport {
  int64_t epoch = 0;      ///< from 0
  bool last = false;      ///< of the run
  bool complete = true;   ///< false: the run's step limit ended the epoch early
  double train_loss = 0;  ///< mean over the epoch
  std::optional<ValidationReport> validation;  ///< none in epochs that are not validated
  double lr = 0;                               ///< of the last step
  double images_per_s = 0;                     ///< in training
  double data_wait = 0;    ///< fraction of training time spent waiting for the loader
  int64_t unreadable = 0;  ///< training samples replaced so far
};

/// Receives the events of a run, on rank 0 only. Observers write; they compute nothing that
/// training uses and draw no random numbers.
class Observer {
 public:
  virtual ~Observer() = default;

  /// Whether the observer wants loss and gradient norm of the step that `next` describes (only its
  /// position is filled in). Every rank asks its own observer, so the result must depend only on
  /// `next`.
  virtual bool needs_loss(const StepReport& next) const {
    (void)next;
    return false;
  }

  virtual void on_start(const TrainState&) {}
  virtual void on_step(const TrainState&, const StepReport&) {}
  /// After a validation inside an epoch (TEST.EVERY_STEPS).
  virtual void on_validation(const TrainState&, const ValidationReport&) {}
  /// After the training of an epoch, before its validation.
  virtual void on_train_epoch_end(const TrainState&, const EpochReport&) {}
  /// After training and validation of an epoch; `progress` is already at the next epoch, unless the
  /// run's step limit ended this one early.
  virtual void on_epoch_end(const TrainState&, const EpochReport&) {}
  /// The run ends early, in the middle of an epoch, and can be resumed.
  virtual void on_stop(const TrainState&) {}
};

}  // namespace wf
