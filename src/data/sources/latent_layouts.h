// The file layouts behind open_latents().
#pragma once

#include "data/sources/latents.h"

#include <c10/core/ScalarType.h>

#include <memory>
#include <string>

namespace wf {

/// fast-DiT: one file for each image in `features`, the labels under the same names in `labels`.
std::shared_ptr<const Latents> open_fast_dit(const std::string& features, const std::string& labels,
                                             const LatentOptions& options);

/// EDM2 and REPA: dataset.json and the files that it names, in a directory or a zip archive.
std::shared_ptr<const Latents> open_mean_and_std(const std::string& path,
                                                 const LatentOptions& options);

/// latents.npy and labels.npy in a directory.
std::shared_ptr<const Latents> open_arrays(const std::string& directory,
                                           const LatentOptions& options);

/// The arrays latents and labels, or arr_0 and arr_1, of an .npz file.
std::shared_ptr<const Latents> open_npz_latents(const std::string& path,
                                                const LatentOptions& options);

/// LightningDiT: *.safetensors with latents, labels and perhaps latents_flip; latents_stats.pt.
std::shared_ptr<const Latents> open_latent_shards(const std::string& directory,
                                                  const LatentOptions& options);

// --- shared by the layouts ---

/// The factor of Stable Diffusion's VAE.
constexpr float kVaeScale = 0.18215f;

/// LatentOptions::scale, or `usual` when that is 0.
float scale_or(const LatentOptions& options, float usual);

/// `count` float32, float16 or bfloat16 numbers at `from`, which need not be aligned, as float32.
/// Throws wf::Error naming `name` for another type and for numbers that are not finite.
void read_numbers(const void* from, at::ScalarType type, int64_t count, const std::string& name,
                  float* out);

/// `label`; throws wf::Error when it is below 0.
int64_t checked_label(int64_t label, const std::string& name);

}  // namespace wf
