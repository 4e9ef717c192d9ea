#pragma once

#include "checkpoint/checkpoint_file.h"

#include <optional>
#include <string>
#include <vector>

namespace wf {

/// The checkpoint with the best accuracy in a run directory; not pruned.
inline constexpr const char* kBestCheckpoint = "max_acc.pth";

/// A checkpoint of a run directory.
struct SavedCheckpoint {
  int64_t serial = 0, step = 0;
  std::string path;
  double own_best = Progress::kNone;  ///< CheckpointFile::own_best()
};

/// The checkpoints of `directory` ("ckpt_*.pth") that can be parsed, the one saved last at the end.
/// Checksums of the tensors are not verified. Throws wf::Error for one of a later format.
std::vector<SavedCheckpoint> list_checkpoints(const std::string& directory);

/// The result of list_checkpoints(), and the file to resume.
struct NewestCheckpoint {
  std::vector<SavedCheckpoint> saved;
  std::optional<CheckpointFile> file;  ///< verified
};

/// The checkpoint in `directory` that was saved last and is valid; invalid ones are skipped with a
/// warning that gives the reason. When none of them is valid, kBestCheckpoint; no file when there
/// are no checkpoints at all. Throws wf::Error when there are some and none is valid, since a
/// restart would overwrite them.
NewestCheckpoint newest_checkpoint(const std::string& directory);

/// Whether `directory` has any checkpoint of a run, valid or not.
bool has_checkpoints(const std::string& directory);

/// Moves the checkpoints saved in `directory` after the checkpoint with `serial` to a new
/// sub-directory old_N, so that they are neither resumed nor pruned, removes them from `saved`, and
/// logs it. Throws wf::Error when a file cannot be moved.
void move_later_checkpoints(const std::string& directory, int64_t serial,
                            std::vector<SavedCheckpoint>& saved);

/// Removes the incomplete files that a killed process left.
void remove_incomplete_files(const std::string& directory);

}  // namespace wf
