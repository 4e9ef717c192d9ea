#pragma once

#include "weightformer/ops/grid.h"

#include <ATen/core/Tensor.h>

#include <optional>

namespace wf {

/// Depthwise 3 x 3 convolution of a token grid, zero padded, stride 1. With `kernel` every sample
/// has kernels of its own, K / (1 + ‖K‖) + weight, with ‖K‖ over the 3 x 3; without, `weight`
/// alone. x: [B, H*W, C]; kernel: [B, C, 3, 3]; weight: [C, 1, 3, 3]; bias: [C] → [B, H*W, C].
/// Source: the dynamic convolution of WeightFormer.
at::Tensor dynamic_dwconv(const at::Tensor& x, Grid grid, const std::optional<at::Tensor>& kernel,
                          const at::Tensor& weight, const at::Tensor& bias);

}  // namespace wf
