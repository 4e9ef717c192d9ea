#pragma once

#include "weightformer/data/sample_reader.h"

#include "data/sources/latents.h"

#include <memory>

namespace wf {

/// Batches of latents, [B, C, S, S] float32. `draw`: where a mean and a standard deviation are
/// stored, a draw from that normal distribution, a function of (seed, epoch, sample); otherwise the
/// mean. A label that is not below `classes` throws wf::Error.
std::shared_ptr<const SampleReader> make_latent_reader(std::shared_ptr<const Latents> latents,
                                                       int64_t classes, bool draw);

}  // namespace wf
