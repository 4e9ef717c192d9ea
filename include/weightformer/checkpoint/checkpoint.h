// A training run in a file: weights, optimizer state and progress, as safetensors.
#pragma once

#include "weightformer/checkpoint/safetensors.h"
#include "weightformer/engine/train_state.h"

#include <optional>
#include <string>
#include <vector>

namespace wf {

/// Writes all of `state`, atomically. Tensors "model.*" and "optimizer.*"; the rest as metadata.
/// `serial` orders the checkpoints of a folder by when they were saved: see last_serial().
void save_checkpoint(const std::string& path, const TrainState& state, int64_t serial = 0);

/// Reads what save_checkpoint wrote into a state of the same model and optimizer; the schedule and
/// the configuration stay those of the running program. Throws wf::Error when the file does not
/// fit; the state is of no use then.
void load_checkpoint(const std::string& path, TrainState& state);

/// The weights of a checkpoint, or of a plain safetensors file of weights.
struct Weights {
  TensorMap tensors;
  std::vector<std::string> classes;  ///< names of the outputs; empty when the file has none
};
/// `averaged`: the averaged weights; throws wf::Error when the file has none.
Weights read_weights(const std::string& path, bool averaged = false);

/// The checkpoint in `folder` that was saved last. A file that is damaged is skipped with a
/// warning that says why.
std::optional<std::string> newest_checkpoint(const std::string& folder);

/// The highest serial number in `folder`; 0 when there is none.
int64_t last_serial(const std::string& folder);

/// Removes all but the `keep` checkpoints that were saved last; "max_acc" is never among them.
void prune_checkpoints(const std::string& folder, size_t keep);

}  // namespace wf
