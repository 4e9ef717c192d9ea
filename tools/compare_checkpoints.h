#pragma once

#include "weightformer/engine/train_state.h"

#include <string>

namespace wf {

struct Comparison {
  int64_t compared = 0;   ///< tensors
  std::string different;  ///< the first that differs, in words; "" when all are equal
};

/// Compares every tensor of the checkpoint `path` with what a checkpoint of `state` would hold, bit
/// by bit.
Comparison compare_checkpoint(const std::string& path, const TrainState& state);

}  // namespace wf
