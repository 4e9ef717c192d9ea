#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/train_state.h"

#include <string>
#include <vector>

namespace wf {

/// Puts `state` where the run should go on. In this order: the last whole checkpoint saved in
/// `folder` (TRAIN.AUTO_RESUME: the same command goes on after a crash), MODEL.RESUME, the weights
/// alone of MODEL.PRETRAINED, a fresh start. Says in the log which it was.
void resume(const Config& config, const std::string& folder, TrainState& state);

enum class WeightsFor {
  evaluation,  ///< TEST.EMA takes the averaged ones; the head must fit
  training,    ///< the head stays fresh where the file has another class count
};

/// Reads the weights of `file` into `model` with MODEL.ALLOW_MISSING, and says in the log what was
/// left alone. Returns the class names of the file, if it has them and they fit.
std::vector<std::string> load_weights(const Config& config, Classifier& model,
                                      const std::string& file, WeightsFor use);

}  // namespace wf
