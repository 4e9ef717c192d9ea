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
};

/// The checkpoints of `directory` ("ckpt_*.pth") that can be parsed, the one saved last at the end.
/// Checksums of the tensors are not compared. Throws wf::Error for one of a later format.
std::vector<SavedCheckpoint> list_checkpoints(const std::string& directory);

/// What list_checkpoints() gives, and the file to resume.
struct NewestCheckpoint {
  std::vector<SavedCheckpoint> saved;
  std::optional<CheckpointFile> file;  ///< verified
};

/// The checkpoint in `directory` that was saved last and is valid; invalid ones are skipped with a
/// warning that says why. When none of them is valid, kBestCheckpoint; no file when there are no
/// checkpoints at all. Throws wf::Error when there are some and none is valid, since a fresh start
/// would overwrite them.
NewestCheckpoint newest_checkpoint(const std::string& directory);

}  // namespace wf
