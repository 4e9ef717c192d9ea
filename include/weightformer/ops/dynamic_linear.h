#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace wf {

/// A linear layer whose weight is predicted for every sample, from R pooled tokens:
///   P = leftᵀ right * C^-1/2 / N,   Y = X (P / (1 + ‖P_:j‖) + weight) + bias
/// with ‖P_:j‖ the L2 norm of column j.
/// x: [B, N, C]; left: [B, R, C]; right: [B, R, D]; weight: [C, D]; bias: [D], all of one dtype
/// → [B, N, D]. Under autocast all are cast as a linear layer's are.
///
/// The column norms come from the R x R Gram matrix (see ops/column_gain.h), so no pass over
/// [B, C, D] is needed. `mode` is one of dynamic_linear_modes():
///   factored   X weight + (X leftᵀ) right': cost grows with N * R
///   merged     X (weight + leftᵀ right'): cost grows with N, after R * C * D for the weight
///   auto       the cheaper one
///   reference  the original's order of operations, in plain ATen
/// Source: the dynamic linear layer of WeightFormer.
at::Tensor dynamic_linear(const at::Tensor& x, const at::Tensor& left, const at::Tensor& right,
                          const at::Tensor& weight, const at::Tensor& bias,
                          const std::string& mode = "auto");

const std::vector<std::string>& dynamic_linear_modes();

/// Whether auto means merged, for N = `tokens`, C = `in` and D = `out`.
bool dynamic_linear_merges(int64_t tokens, int64_t in, int64_t out);

namespace reference {
at::Tensor dynamic_linear(const at::Tensor& x, const at::Tensor& left, const at::Tensor& right,
                          const at::Tensor& weight, const at::Tensor& bias);
}  // namespace reference

}  // namespace wf
