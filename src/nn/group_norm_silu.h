// Group normalization and SiLU in one pass over channels-last images, for inference on CPUs.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/normalization.h>

namespace wf {

/// silu(norm(x)) of x [B, C, H, W]; without SiLU where `silu` is false. Channels last; float32 on
/// the CPU, without gradients. The result of an image depends neither on the other images nor on
/// the number of threads.
at::Tensor group_norm_silu(const at::Tensor& x, const torch::nn::GroupNormImpl& norm, bool silu);

}  // namespace wf
