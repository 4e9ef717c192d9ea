#pragma once

#include "weightformer/models/model.h"
#include "weightformer/optim/ema.h"
#include "weightformer/optim/grad_scaler.h"
#include "weightformer/optim/lr_schedule.h"
#include "weightformer/optim/optimizer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Where a run stands. Together with the configuration this decides every number that follows:
/// random draws are functions of the seed and these counters, so there is no generator to save.
struct Progress {
  int64_t epoch = 0;    ///< the epoch being trained, from 0; also how many are validated
  int64_t batch = 0;    ///< batches of that epoch already trained; all of them: validation is due
  int64_t batches = 0;  ///< in an epoch
  int64_t batch_images = 0;  ///< images in a batch, over all processes; 0: not known
  int64_t step = 0;          ///< optimizer steps since the start of the run
  double loss_sum = 0;  ///< over the samples of this epoch so far, those that overflowed left out
  int64_t loss_count = 0;      ///< samples in loss_sum
  double max_accuracy = 0;     ///< best validation top-1 so far, percent; of averaged weights too
  bool best_averaged = false;  ///< whether the averaged weights reached it, not those trained

  double mean_loss() const { return loss_sum / static_cast<double>(loss_count); }
  /// Whether `epoch` is trained and its validation has yet to run.
  bool validation_due() const { return batch > 0 && batch == batches; }
  /// Epochs that are trained, the one whose validation is due included.
  int64_t finished_epochs() const { return epoch + (validation_due() ? 1 : 0); }
  void start_next_epoch() {
    epoch += 1;
    batch = 0;
    loss_sum = 0;
    loss_count = 0;
  }
};

/// Calls v(field, name) for each field of a Progress, const or not: checkpoints write and read
/// exactly these.
template <typename P, typename V>
void visit_progress(P& p, V&& v) {
  v(p.epoch, "epoch");
  v(p.batch, "batch");
  v(p.batches, "batches");
  v(p.batch_images, "batch_images");
  v(p.step, "step");
  v(p.loss_sum, "loss_sum");
  v(p.loss_count, "loss_count");
  v(p.max_accuracy, "max_accuracy");
  v(p.best_averaged, "best_averaged");
}

/// All that a checkpoint holds.
struct TrainState {
  std::shared_ptr<Classifier> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<GradScaler> scaler;  ///< null unless the precision is float16
  std::unique_ptr<Ema> ema;            ///< null without TRAIN.EMA_DECAY
  LrScheduleOptions schedule;
  Progress progress;
  std::vector<std::string> classes;  ///< names, in the order of the model's outputs
  std::string config;                ///< the effective configuration, as YAML
};

}  // namespace wf
