#pragma once

#include "weightformer/core/graphed_function.h"
#include "weightformer/data/loader.h"
#include "weightformer/engine/observer.h"
#include "weightformer/engine/task.h"
#include "weightformer/engine/train_state.h"
#include "weightformer/nn/short_weights.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct TrainerOptions {
  int64_t epochs = 300;            ///< cool-down included
  int64_t steps = 0;               ///< optimizer steps of the run; 0: `epochs` decides
  double clip_grad = 5;            ///< maximum gradient norm; 0 disables clipping
  int64_t global_batch_size = 0;   ///< samples in a batch over all ranks; 0: unknown
  int64_t accumulation_steps = 1;  ///< micro-batches of an optimizer step
  std::optional<Precision> amp;    ///< mixed precision
  c10::Device device = c10::kCPU;
  int64_t validate_epochs = 1;  ///< epochs between validations; the last one is always validated
  int64_t validate_steps = 0;   ///< steps between validations inside an epoch; 0: none
  uint64_t seed = 0;
  std::shared_ptr<Distributed> distributed;  ///< null: a single process
  /// Check every step, which waits for a GPU; by default on CPUs. Otherwise the steps whose loss is
  /// read.
  std::optional<bool> check_every_step;
  bool graph = false;  ///< run steps as a CUDA graph where that is possible
};

enum class Outcome { finished, stopped };

/// Trains the model of a task from `state.progress` to the end of the run, validates it,
/// and informs the observers. Knows neither files nor what is being learned.
///
/// Every random draw is a function of (seed, step, rank) or (seed, epoch, sample), so a run that
/// was stopped and resumed computes what an uninterrupted one computes. With accumulation, batches
/// at the end of an epoch that do not fill a step are dropped, like samples that do not fill a
/// batch.
///
/// Resumed with another number of samples per step (batch size, accumulation, world size), training
/// continues at the same position in the epoch, rounded down to a full step, and at the same
/// position in the schedule.
///
/// With several ranks, each has its part of every batch and all have the same weights. Observers
/// are informed on rank 0 only, with values over all ranks.
class Trainer {
 public:
  Trainer(TrainState& state, Task& task, Loader& train, TrainerOptions options);

  void add(std::shared_ptr<Observer> observer) { observers_.push_back(std::move(observer)); }

  /// Calls `event` on every rank after each `steps`-th optimizer step, with the model in evaluation
  /// mode; for example to draw samples. It must not change the state of the run.
  void every(int64_t steps, std::function<void(const TrainState&)> event);

  /// Whether the run is at its end, so that run() would do nothing.
  bool done() const;

  /// Returns `stopped` after a stop signal, at the end of a step. Throws wf::Error with exit code
  /// kDiverged when a loss or gradient is not finite, before it reaches the weights.
  Outcome run();

 private:
  struct Step {
    at::Tensor loss, grad_norm;  // scalars on the device; the loss is the mean over the samples
    double lr = 0;
    int64_t samples = 0;
    bool has_loss = false;  // an observer asked for the loss, which synchronizes with the device
  };
  class EpochSums;
  bool train_epoch(EpochReport& report);  // false: stopped
  void reduce(EpochSums& sums);
  bool validate(ValidationReport& report);  // false: stopped
  bool validate_inside_epoch();             // false: stopped
  std::optional<Metrics> validate_weights(const ValidationContext& context, int64_t weights);
  void select_best(ValidationReport& report);
  std::optional<Step> next_step();  // none: the end of the epoch or of the run, or stopped
  bool next_batch(Batch& batch);    // false: stopped
  void accept_stop(const LoaderStopped& stopped) const;
  StepReport position_after_next_step() const;
  bool needs_loss(const StepReport& next) const;
  at::Tensor backward(const Batch& batch, int64_t micro_batch, bool last);
  void update(Step& step);
  void make_graph();
  std::string why_no_graph() const;  // empty: steps can be recorded
  std::vector<at::Tensor> step_on_device(const std::vector<at::Tensor>& inputs);
  bool graphed_step(Step& step, const Batch& batch, int64_t micro_batch);
  void report_step(const Step& step, StepReport at);
  void run_events();
  bool checks_every_step() const;
  void require_finite(const Step& step) const;
  void require_finite_weights() const;
  int64_t batches_per_epoch() const;
  bool at_step_limit() const;
  void restore_position();
  void log_straggler();
  void notify_observers(const std::string& what, const std::function<void(Observer&)>& call);
  void finish_epoch(EpochReport& report);

  TrainState& state_;
  Task& task_;
  Loader& train_;
  TrainerOptions options_;
  at::Generator generator_;
  at::Tensor skipped_;  // [1] on the device: unchecked steps whose gradients were not finite
  ShortWeights short_weights_;
  std::unique_ptr<GraphedFunction> graph_;  // step_on_device(), where steps are recorded
  std::vector<std::shared_ptr<Observer>> observers_;
  std::vector<TaskEvent> events_;
  bool stop_cancelled_validation_ = false;  // inside an epoch
};

}  // namespace wf
