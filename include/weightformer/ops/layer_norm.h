#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <utility>

namespace wf {

/// Operations fused with the normalization. Vectors of channels may have any floating dtype.
struct NormOptions {
  std::optional<at::Tensor> weight, bias;  ///< [C], together: affine parameters
  std::optional<at::Tensor> scale, shift;  ///< [B, C], together: y * (1 + scale) + shift
  std::optional<at::Tensor> update;        ///< [B, N, C]: normalize x + update instead of x
  std::optional<at::Tensor> gate;          ///< [B, C]: x + gate * update
  std::optional<at::Tensor> row_scale;     ///< [B]: of the update of a sample; has no gradient
  std::optional<at::ScalarType> dtype;     ///< of the result; by default that of x
  double eps = 1e-6;
};

/// Layer normalization (Ba et al. 2016) over the channels of each token:
///   s = x + row_scale * gate * update
///   y = (s - mean) / sqrt(variance + eps) * weight + bias, or … * (1 + scale) + shift
/// Affine parameters and modulation exclude each other. x: [B, N, C] → y: [B, N, C]. Statistics and
/// sums are float32 (double for double). The backward pass reads each token once, and adds up the
/// gradients of vectors in an order that depends only on the shapes. Modulation and gate as in
/// DiT's adaLN (Peebles and Xie 2022); the scale of rows is that of stochastic depth.
at::Tensor layer_norm(const at::Tensor& x, const NormOptions& options = {});

/// s and y, for a branch that is added to s later: s has the dtype of x and is x itself without an
/// update. The gradients of both meet in one pass.
std::pair<at::Tensor, at::Tensor> layer_norm_fork(const at::Tensor& x,
                                                  const NormOptions& options = {});

namespace reference {
/// s and y in plain ATen.
std::pair<at::Tensor, at::Tensor> layer_norm(const at::Tensor& x, const NormOptions& options = {});
}  // namespace reference

}  // namespace wf
