#pragma once

#include "weightformer/ops/grid.h"

#include <ATen/core/Tensor.h>

#include <optional>

namespace wf {

/// Operations fused with the convolution. shift and scale come together; all three are [B, C].
struct DwconvOptions {
  std::optional<at::Tensor> shift, scale;  ///< convolve x * (1 + scale) + shift instead of x
  std::optional<at::Tensor> gate;          ///< multiply the result, bias included
  bool residual = false;                   ///< add the unmodulated x last
};

/// Depthwise 3 x 3 convolution of a token grid, zero padded, stride 1. With `kernel` each sample is
/// convolved with K / (1 + ‖K‖) + weight, with ‖K‖ over the 3 x 3; without, with `weight`. x: [B,
/// H*W, C]; kernel: [B, C, 3, 3]; weight: [C, 1, 3, 3]; bias: [C] → [B, H*W, C] in the dtype of x;
/// the others may have other dtypes. Sums are float32 (double for double). Fastest when the memory
/// layout of `kernel` is [B, 3, 3, C].
/// Source: the dynamic convolution of WeightFormer; modulation and gate as in DiT's adaLN.
at::Tensor dynamic_dwconv(const at::Tensor& x, Grid grid, const std::optional<at::Tensor>& kernel,
                          const at::Tensor& weight, const at::Tensor& bias,
                          const DwconvOptions& options = {});

namespace reference {
/// The same in plain ATen, in the original's order: a convolution over B * C groups.
at::Tensor dynamic_dwconv(const at::Tensor& x, Grid grid, const std::optional<at::Tensor>& kernel,
                          const at::Tensor& weight, const at::Tensor& bias,
                          const DwconvOptions& options = {});
}  // namespace reference

}  // namespace wf
