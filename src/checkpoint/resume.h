#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/train_state.h"

#include "checkpoint/saved_checkpoints.h"

#include <string>
#include <vector>

namespace wf {

/// Sets `state` to the position at which the run should continue: at the last valid checkpoint
/// saved in `directory` (TRAIN.AUTO_RESUME: the same command resumes after a crash), otherwise at
/// MODEL.RESUME, with the weights of MODEL.PRETRAINED, or at the beginning; logs which.
/// `steps_per_epoch` converts the epoch of an original checkpoint to steps.
/// Throws wf::Error when the checkpoint is not one of `task`, and with TRAIN.AUTO_RESUME false when
/// `directory` has checkpoints and MODEL.RESUME is none of them: nothing is overwritten. Returns
/// the checkpoints in `directory`, for CheckpointObserver.
std::vector<SavedCheckpoint> resume(const Config& config, const std::string& directory,
                                    const Task& task, int64_t steps_per_epoch, TrainState& state);

}  // namespace wf
