// Writes a training run into a file that PyTorch can load. Contents: docs/checkpoints.md; reading:
// checkpoint_file.h.
#pragma once

#include "weightformer/engine/train_state.h"

#include "serialization/tensor_file.h"

#include <cstdint>
#include <string>

namespace wf {

struct SaveInfo {
  int64_t serial = 0;  ///< orders the checkpoints of a directory by when they were saved
  int world = 1;       ///< processes that train
  bool best = false;   ///< whether the validation of these weights is the best so far
};

/// A copy of the state of a run, which a thread can write while training continues.
class Snapshot {
 public:
  Snapshot(const TrainState& state, const SaveInfo& info);
  /// Writes it atomically, as torch.save would.
  void write(const std::string& path) const { tree_.write(path, *root_); }

 private:
  TensorTree tree_;
  const pickle::Value* root_;
};

/// Takes a snapshot and writes it.
void save_checkpoint(const std::string& path, const TrainState& state, const SaveInfo& info = {});

}  // namespace wf
