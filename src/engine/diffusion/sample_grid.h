#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// Samples as images to look at: [N, C, H, W] float32 → [N, 1 or 3, H, W] uint8. `latents` are
/// shown without a decoder: the first three channels (or the first), each scaled to its own range.
at::Tensor displayed(const at::Tensor& samples, bool latents);

}  // namespace wf
