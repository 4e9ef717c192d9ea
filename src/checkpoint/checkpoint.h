// Writes a training run into a file that PyTorch opens too. Contents: docs/checkpoints.md; reading:
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
  bool best = false;   ///< whether the validation of these very weights is the best so far
};

/// All of a run as it is now, copied, so that a thread can write it while training goes on.
class Snapshot {
 public:
  Snapshot(const TrainState& state, const SaveInfo& info);
  /// Writes it atomically, as torch.save would.
  void write(const std::string& path) const { tree_.write(path, *root_); }

 private:
  TensorTree tree_;
  const pickle::Value* root_;
};

/// Snapshot and write in one.
void save_checkpoint(const std::string& path, const TrainState& state, const SaveInfo& info = {});

}  // namespace wf
