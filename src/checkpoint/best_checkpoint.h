#pragma once

#include "weightformer/engine/train_state.h"

#include "checkpoint/saved_checkpoints.h"

#include <string>
#include <vector>

namespace wf {

/// Reconciles kBestCheckpoint of `directory` with the best value in `progress`, the state being
/// resumed. They differ if a process was killed between two files, if the run went back to an older
/// checkpoint, or if a file was deleted. A checkpoint of `saved` that is better than
/// kBestCheckpoint replaces it, and a file that is better than `progress` knows updates `progress`,
/// so that nothing worse replaces it. A best value whose weights are in no file is dropped. Logs
/// what it changes. Throws wf::Error when kBestCheckpoint is of a later format.
void restore_best(const std::string& directory, std::vector<SavedCheckpoint> saved,
                  const MetricSpec& metric, Progress& progress);

}  // namespace wf
