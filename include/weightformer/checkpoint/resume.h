#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/train_state.h"

#include <string>

namespace wf {

/// Puts `state` where the run should go on. In this order: the last checkpoint saved in `folder`
/// (TRAIN.AUTO_RESUME: the same command goes on after a crash), MODEL.RESUME, the weights alone of
/// MODEL.PRETRAINED, a fresh start. Says in the log which it was.
void resume(const Config& config, const std::string& folder, TrainState& state);

}  // namespace wf
