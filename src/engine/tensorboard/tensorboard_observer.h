#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/engine/observer.h"
#include "weightformer/engine/task.h"

#include "engine/tensorboard/event_file.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace wf {

/// Event files for TensorBoard, at optimizer steps:
///   train/loss, lr, grad_norm, images_per_s, data_wait, memory_mib, loss_scale (float16) and the
///     metrics of the task: each step whose loss was read
///   val/NAME, val_ema/NAME, val_ema2/NAME …: each validation
///   epoch/train_loss, lr, images_per_s, data_wait, train_unreadable: each epoch
///   config as text, the training settings as hyperparameters, a sheet of augmented training
///     samples: once
/// A resumed run begins a new file, whose first events make TensorBoard drop what is repeated.
class TensorboardObserver : public Observer {
 public:
  /// `sheet` gives an image, [1 or 3, H, W] uint8, or an undefined tensor.
  TensorboardObserver(std::string directory, std::function<at::Tensor()> sheet)
      : directory_(std::move(directory)), sheet_(std::move(sheet)) {}
  void on_start(const TrainState& state) override;
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_validation(const TrainState& state, const ValidationReport& report) override;
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;

 private:
  void describe_run(const TrainState& state);
  void write_sheet();
  void resume(const std::vector<std::string>& earlier, const Progress& progress);

  std::string directory_;
  std::function<at::Tensor()> sheet_;
  std::unique_ptr<EventFile> file_;
};

/// 32 samples of the training set on one sheet, evenly spaced in it and augmented as in the first
/// epoch. Undefined when the task has nothing to display.
at::Tensor augmented_sheet(const Task& task, const Loader& train, uint64_t seed);

}  // namespace wf
