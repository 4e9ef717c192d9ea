#pragma once

#include "weightformer/engine/train_state.h"

#include "checkpoint/saved_checkpoints.h"

#include <string>
#include <vector>

namespace wf {

/// Makes kBestCheckpoint of `directory` and the best value in `progress`, the state that is being
/// resumed, agree again. They differ when a process was killed between two files, when the run went
/// back to an older checkpoint, and when somebody deleted a file. The better one counts: a
/// checkpoint of `saved` that is better than kBestCheckpoint becomes it, and what is better than
/// `progress` knows is noted there, so that nothing worse replaces it. A best value whose weights
/// are nowhere is forgotten. Logs what it changes. Throws wf::Error when kBestCheckpoint is of a
/// later format.
void restore_best(const std::string& directory, std::vector<SavedCheckpoint> saved,
                  const MetricSpec& metric, Progress& progress);

}  // namespace wf
