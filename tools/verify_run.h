#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

struct VerifyOptions {
  std::string directory;          ///< of the run
  std::vector<std::string> opts;  ///< KEY VALUE …, over its config.yaml: where the data is now
  int64_t seed = -1;              ///< chooses the checkpoint; negative: by the clock
};

/// Trains again from a checkpoint of the run, chosen at random, to the next one, writes nothing
/// into the directory, and prints whether measured losses and all tensors are equal in every bit,
/// or the first that differs. Returns the exit code: 0 or 1. Throws wf::Error when the run has no
/// two checkpoints or was trained by several processes.
int verify_run(const VerifyOptions& options);

}  // namespace wf
