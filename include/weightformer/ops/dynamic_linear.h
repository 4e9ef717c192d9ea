#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// A linear layer whose weight is predicted for every sample, from R pooled tokens:
///   P = left^T · right * C^-1/2 / N,   Y = X · (P / (1 + |P_:j|) + weight) + bias
/// with |P_:j| the L2 norm of column j.
/// x: [B, N, C]; left: [B, R, C]; right: [B, R, D]; weight: [C, D]; bias: [D] → [B, N, D].
/// Source: the dynamic linear layer of WeightFormer, in the published order of operations.
at::Tensor dynamic_linear(const at::Tensor& x, const at::Tensor& left, const at::Tensor& right,
                          const at::Tensor& weight, const at::Tensor& bias);

}  // namespace wf
