#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/task.h"
#include "weightformer/optim/ema.h"
#include "weightformer/optim/grad_scaler.h"
#include "weightformer/optim/lr_schedule.h"
#include "weightformer/optim/optimizer.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace wf {

/// The position of a run. Together with the configuration it determines all further results: random
/// draws are functions of the seed and these counters, so no generator state is saved.
struct Progress {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  int64_t epoch = 0;    ///< the epoch being trained, from 0; also how many are validated
  int64_t batch = 0;    ///< batches of that epoch already trained; all of them: validation is due
  int64_t batches = 0;  ///< in an epoch
  int64_t global_batch_size = 0;  ///< samples in a batch, over all ranks; 0: unknown
  int64_t step = 0;               ///< optimizer steps since the start of the run
  int64_t validated_step = 0;     ///< the step of the last validation
  double loss_sum = 0;     ///< over the samples of this epoch so far, except those that overflowed
  int64_t loss_count = 0;  ///< samples in loss_sum
  double window_sum = 0;   ///< loss_sum at the last step that was reported with its loss
  int64_t window_count = 0;    ///< loss_count there
  double best_metric = kNone;  ///< best value of the task's selection metric so far, EMA included
  int64_t best_weights = 0;    ///< which weights reached it: 0 the trained ones, k the k-th EMA

  double mean_loss() const { return loss_sum / static_cast<double>(loss_count); }
  bool has_best() const { return !std::isnan(best_metric); }
  /// Whether `epoch` is trained and its validation has yet to run.
  bool validation_due() const { return batch > 0 && batch == batches; }
  /// Number of trained epochs, including one whose validation is due.
  int64_t finished_epochs() const { return epoch + (validation_due() ? 1 : 0); }
  void start_next_epoch() {
    epoch += 1;
    batch = 0;
    loss_sum = window_sum = 0;
    loss_count = window_count = 0;
  }
};

/// Calls v(field, name) for each field of a Progress, const or not: checkpoints write and read
/// exactly these.
template <typename P, typename V>
void visit_progress(P& p, V&& v) {
  v(p.epoch, "epoch");
  v(p.batch, "batch");
  v(p.batches, "batches");
  v(p.global_batch_size, "batch_images");
  v(p.step, "step");
  v(p.validated_step, "validated_step");
  v(p.loss_sum, "loss_sum");
  v(p.loss_count, "loss_count");
  v(p.window_sum, "window_sum");
  v(p.window_count, "window_count");
  v(p.best_metric, "best_metric");
  v(p.best_weights, "best_weights");
}

/// The state that a checkpoint holds.
struct TrainState {
  std::shared_ptr<Model> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<GradScaler> scaler;      ///< null unless the precision is float16
  std::vector<std::unique_ptr<Ema>> emas;  ///< TRAIN.EMA_DECAY, then TRAIN.EMA_STD
  LrScheduleOptions schedule;
  Progress progress;
  std::map<std::string, at::Tensor> task_state;  ///< Task::state(): shares memory with the task
  Metadata metadata;                             ///< of the task, for the run that resumes
  Config config;                                 ///< the effective configuration
};

}  // namespace wf
