// Many samples for an evaluation, in pieces that survive whatever happens on the way.
#pragma once

#include "engine/diffusion/sampling.h"
#include "engine/distributed.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

struct SampleRunOptions {
  std::string directory;
  int64_t images = 50000;
  int64_t shard = 1000;  ///< samples in a file; what a kill costs at most
  int64_t classes = 1000;
  /// As many samples of each class, in random order, instead of classes drawn at random. The
  /// inception score of the ADM evaluator goes by the order of the file.
  bool balanced = false;
  uint64_t seed = 0;
  bool latents = false;  ///< keep float32 [C, H, W] in place of bytes [H, W, C]
  std::string settings;  ///< everything that decides the samples, one "NAME: value" a line
};

/// The label of each sample, a function of (seed, index) or, balanced, of (seed, images, index).
std::vector<int64_t> sample_labels(const SampleRunOptions& options);

/// Draws options.images samples into options.directory:
///   manifest.txt       the settings; a directory of others is refused, naming the first difference
///   shards/NNNNNN.npy  samples NNNNNN …, drawn by rank (NNNNNN / shard) mod world
///   samples.npz        arr_0, all of them: uint8 [N, H, W, C], as the ADM evaluator reads it
/// The content of a shard depends on its index alone. Started again, on any number of ranks, it
/// draws what is missing; samples.npz is the same to the last byte as without an interruption.
/// Ranks share the directory. Throws wf::Error.
void run_samples(const SampleGenerator& generator, const SampleRunOptions& options,
                 Distributed& ranks);

}  // namespace wf
