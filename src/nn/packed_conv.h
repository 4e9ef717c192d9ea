// Convolutions by oneDNN whose weights are put into its own order once, for inference on CPUs.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

struct PackedShape {
  int64_t stride = 1, padding = 0, groups = 1;
};

/// False where LibTorch has no oneDNN, where that is switched off, and on other processors than
/// x86-64's, whose fastest products are not oneDNN's convolutions.
bool can_pack_conv();

/// The weights [O, I / groups, h, w] for packed_conv(), ordered for inputs of the sizes `input`.
/// Inputs of other sizes are also accepted; where another order is better for them, the weights are
/// reordered in each call.
at::Tensor pack_conv(const at::Tensor& weight, const PackedShape& shape, at::IntArrayRef input);

/// The convolution of x [B, I, H, W], float32 without gradients; channels last where x is.
at::Tensor packed_conv(const at::Tensor& x, const at::Tensor& packed,
                       const std::optional<at::Tensor>& bias, const PackedShape& shape);

}  // namespace wf
