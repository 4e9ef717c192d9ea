// From a configuration to the things that train.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/data/loader.h"
#include "weightformer/engine/train_state.h"
#include "weightformer/engine/trainer.h"

#include "data/augment/mixup.h"
#include "dist/launch_env.h"
#include "engine/classification/evaluator.h"
#include "engine/classification/loss.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wf {

/// DEVICE: auto takes CUDA where this build and the machine have it, the GPU of `env`. Throws for
/// cuda without one.
c10::Device build_device(const Config& config, const LaunchEnv& env = {});

/// MODEL.* as a network with fresh weights, on `device`.
std::shared_ptr<Classifier> build_classifier(const Config& config, c10::Device device);

/// DATA.*: loaders over DATA_PATH/train and DATA_PATH/val and the class names they share.
/// Each process loads its part of the pictures. `classes`: the numbering to evaluate with; without
/// it, that of the folders found.
struct Loaders {
  std::unique_ptr<Loader> train;  ///< null when only evaluating
  std::unique_ptr<Loader> validation;
  std::vector<std::string> classes;
  std::vector<std::vector<int64_t>> real_labels;  ///< of DATA.REAL_LABELS; empty without it
};
Loaders build_loaders(const Config& config, const LaunchEnv& env = {});
Loaders build_validation_loader(const Config& config, std::vector<std::string> classes,
                                const LaunchEnv& env = {});

/// DIST.*: the processes of `env`; with one, nobody is met.
std::shared_ptr<Distributed> build_distributed(const Config& config, const LaunchEnv& env,
                                               c10::Device device);

std::unique_ptr<Transform> build_eval_transform(const Config& config);
std::unique_ptr<Transform> build_train_transform(const Config& config);

/// AUG.MIXUP*, AUG.CUTMIX*: nothing when both are off.
std::optional<MixupOptions> build_mixup(const Config& config);

/// TRAIN.LOSS: with mixup on, targets come smoothed and as shares; otherwise as labels, which the
/// loss smooths.
LossOptions build_loss(const Config& config);

/// AMP and AMP_DTYPE: the dtype of autocast, if any.
std::optional<at::ScalarType> build_amp(const Config& config);

/// TRAIN.*: the schedule in steps. TRAIN.LR_SCALING linear multiplies the learning rates by the
/// images per step (over all processes and accumulated batches) / 512, as in the reference
/// implementation.
LrScheduleOptions build_schedule(const Config& config, int64_t batches_per_epoch, int world);

TrainState build_train_state(const Config& config, std::shared_ptr<Classifier> model,
                             const Loaders& loaders, int world);

TrainerOptions build_trainer_options(const Config& config, c10::Device device,
                                     std::shared_ptr<Distributed> distributed = nullptr);

}  // namespace wf
