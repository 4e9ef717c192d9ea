#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/train_state.h"

#include "checkpoint/saved_checkpoints.h"

#include <string>
#include <vector>

namespace wf {

/// Puts `state` where the run should continue: at the last valid checkpoint saved in `directory`
/// (TRAIN.AUTO_RESUME: the same command resumes after a crash), otherwise at MODEL.RESUME, the
/// weights alone of MODEL.PRETRAINED, or a fresh start. Says in the log which it was. Returns the
/// checkpoints found in `directory`, for CheckpointObserver.
std::vector<SavedCheckpoint> resume(const Config& config, const std::string& directory,
                                    TrainState& state);

enum class WeightsFor {
  evaluation,  ///< TEST.EMA takes the EMA weights; the head must fit
  training,    ///< the head stays fresh where the file has another class count
};

/// Reads the weights of `file` into `model` with MODEL.ALLOW_MISSING, and says in the log what was
/// left alone. Returns the class names of the file, if it has them and they fit.
std::vector<std::string> load_weights(const Config& config, Classifier& model,
                                      const std::string& file, WeightsFor use);

}  // namespace wf
