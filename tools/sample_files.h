// The output files of wf_sample.
#pragma once

#include "engine/diffusion/latent_codec.h"
#include "engine/diffusion/sampling.h"
#include "sample_model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

struct SampleFiles {
  std::string directory;
  std::vector<std::string> classes;  ///< labels or names; empty: all, at most ten
  int64_t per_class = 8;
  int64_t images = 0;  ///< above 0: that many, into samples.npz
  int64_t shard = 1000;
  bool balanced = false, single = false;
  std::string preset;  ///< see sample_preset.h; empty: none
  std::string vae;     ///< decodes latents: see load_vae(); may be empty
  LatentCodecOptions decoding;
};

/// One row for each class: directory/grid.png, and if requested single images in
/// directory/images/CLASS/.
void draw_grid(const SampleModelRequest& request, const SampleModel& model,
               const SampleFiles& files, const SampleGenerator& generator, LatentCodec* codec);

/// Draws and writes. Returns the exit code; throws wf::Error in one line.
int draw_files(const SampleModelRequest& model, const SampleFiles& files);

}  // namespace wf
