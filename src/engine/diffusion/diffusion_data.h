// Converts batches of the loader to the data of a diffusion model.
#pragma once

#include "weightformer/data/batch.h"
#include "weightformer/data/sample_reader.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace wf {

/// [B, channels, H, W] float32 on `device`. Bytes of images become x / 127.5 - 1, as DiT and its
/// VAE expect them; of gray images (channels 1) the first of three equal planes is used. Latents
/// are unchanged.
at::Tensor diffusion_input(const Batch& batch, int64_t channels, c10::Device device);

/// Drops the samples of an evaluation that could not be read.
void keep_readable(Batch& batch);

/// Every (size / count)-th sample of `reader`, `count` in all; `reader` itself when it has no more.
/// Names and indices are those of the subset.
std::shared_ptr<const SampleReader> evenly_spaced(std::shared_ptr<const SampleReader> reader,
                                                  int64_t count);

/// The samples `numbers` of `reader`, in that order; names are theirs, indices those in `numbers`.
std::shared_ptr<const SampleReader> chosen_samples(std::shared_ptr<const SampleReader> reader,
                                                   std::vector<int64_t> numbers);

}  // namespace wf
