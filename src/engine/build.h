// Builds what all tasks share from the configuration.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/task.h"
#include "weightformer/engine/train_state.h"
#include "weightformer/engine/trainer.h"

#include "dist/launch_env.h"
#include "engine/distributed.h"

#include <memory>
#include <optional>

namespace wf {

/// DEVICE: auto selects CUDA if this build and the machine have it, the GPU of `env`. Throws for
/// cuda without one.
c10::Device build_device(const Config& config, const LaunchEnv& env = {});

/// DIST.*: the ranks of `env`; a single process needs no process group. Throws when the ranks were
/// started with different settings.
std::shared_ptr<Distributed> build_distributed(const Config& config, const LaunchEnv& env,
                                               c10::Device device);

/// AMP auto as on or off for `device`. With bfloat16 instructions a CPU is up to twice as fast in
/// it, without them ten times slower than in float32.
AmpMode resolve_amp(const Config& config, c10::Device device);

/// AMP, which must be resolved, AMP_DTYPE and AMP_RESIDUAL.
std::optional<Precision> build_amp(const Config& config);

/// TRAIN.*: the schedule in optimizer steps. TRAIN.LR_SCALING linear multiplies the learning rates
/// by the images of a step (over all ranks and accumulated batches) / 512, as in the reference
/// implementation.
LrScheduleOptions build_schedule(const Config& config, int64_t batches_per_epoch, int world);

/// Optimizer, EMAs, scaler and schedule for the model of `task`, at the start of a run.
TrainState build_train_state(const Config& config, const Task& task, int64_t batches_per_epoch,
                             int world);

TrainerOptions build_trainer_options(const Config& config, c10::Device device,
                                     std::shared_ptr<Distributed> distributed);

}  // namespace wf
