// A training run in a file that PyTorch opens too. What it holds: docs/checkpoints.md.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/train_state.h"
#include "weightformer/serialization/weights.h"

#include "serialization/tensor_file.h"

#include <optional>
#include <string>
#include <vector>

namespace wf {

struct SaveInfo {
  int64_t serial = 0;  ///< orders the checkpoints of a folder by when they were saved
  int world = 1;       ///< processes that train
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

/// Reads a checkpoint of this program, or of the published trainer, into a state of the same model
/// and optimizer; the schedule and the configuration stay those of the running program.
/// `steps_per_epoch` places a published one, which knows its epoch alone, on the schedule. Throws
/// wf::Error when the file does not fit; the state is of no use then.
void load_checkpoint(const std::string& path, TrainState& state, int64_t steps_per_epoch = 0,
                     const LoadOptions& options = {});

/// The settings that a checkpoint was made with; `otherwise` where it does not say.
Config saved_settings(const std::string& path, const Config& otherwise);

/// The checkpoint with the best accuracy in a run's folder; not pruned.
inline constexpr const char* kBestCheckpoint = "max_acc.pth";

/// A checkpoint of a run folder.
struct SavedCheckpoint {
  int64_t serial = 0, step = 0;
  std::string path;
};

/// Those of `folder` that can be read ("ckpt_*.pth"), the last saved last. Checksums of the tensors
/// are not compared.
std::vector<SavedCheckpoint> checkpoints_in(const std::string& folder);

/// The checkpoint in `folder` that was saved last and is whole to the last bit; later ones that are
/// not are skipped with a warning that says why. When none of them is, the best one; when there
/// are some and not even that is whole, throws wf::Error: a fresh start would overwrite them.
std::optional<std::string> newest_checkpoint(const std::string& folder);

}  // namespace wf
