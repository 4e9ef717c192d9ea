// Many samples for an evaluation, in shards, so that an interrupted run can be completed.
#pragma once

#include "engine/diffusion/latent_codec.h"
#include "engine/diffusion/sampling.h"
#include "engine/distributed.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

struct SampleRunOptions {
  std::string directory;
  int64_t images = 50000;
  int64_t shard = 1000;  ///< samples per file, and the maximum loss when killed
  int64_t classes = 1000;
  /// As many samples of each class, in random order, instead of classes drawn at random. The
  /// inception score of the ADM evaluator depends on the order in the file.
  bool balanced = false;
  uint64_t seed = 0;
  bool latents = false;  ///< store float32 [C, H, W] instead of bytes [H, W, C], unless decoded
  LatentCodec* codec = nullptr;  ///< decodes the latents of each shard; may be null
  /// Sizes from which samples.npz is in the 64-bit form: 4 GiB; lower in tests.
  uint64_t zip64_from = 0xFFFFFFFF;
  std::string settings;  ///< everything that determines the samples, one "NAME: value" per line
};

/// The label of each sample, a function of (seed, index) or, balanced, of (seed, images, index).
std::vector<int64_t> sample_labels(const SampleRunOptions& options);

/// Draws options.images samples into options.directory:
///   manifest.txt       the settings; other settings in the directory are an error that names the
///                      first difference
///   shards/NNNNNN.npy  samples NNNNNN …, drawn by rank (NNNNNN / shard) mod world
///   samples.npz        arr_0, all of them: uint8 [N, H, W, C], as the ADM evaluator reads it
/// The content of a shard depends only on its index. A restart, on any number of ranks, draws the
/// missing shards; samples.npz is the same to the last byte as without an interruption. Ranks share
/// the directory. Throws wf::Error.
void run_samples(const SampleGenerator& generator, const SampleRunOptions& options,
                 Distributed& ranks);

/// "  decoding 43 %" of `seconds`, for a line of progress; empty without a codec.
std::string decoding_share(const LatentCodec* codec, double seconds);

}  // namespace wf
