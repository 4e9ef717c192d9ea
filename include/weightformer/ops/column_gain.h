#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace wf {

/// Scales the columns of a predicted weight P = scale * leftᵀ right without computing P: with the
/// Gram matrix gram = left leftᵀ, column j has the norm ν_j = scale * sqrt(q_jᵀ gram q_j), q_j
/// being column j of `right`, and the result is right / (1 + ν): without `scale`, which would
/// underflow in float16 for many tokens. gram: [B, R, R], float32 (double for double), symmetric;
/// right: [B, R, D] → ([B, R, D] as `right`, ν [B, D] in the dtype of `gram`, for the backward pass
/// only: no gradient flows through it). For a column of norm zero, the subgradient 0 of the norm is
/// used. Sums are float32.
std::tuple<at::Tensor, at::Tensor> column_gain(const at::Tensor& gram, const at::Tensor& right,
                                               double scale);

/// → (gradient of gram, symmetric; gradient of right).
std::tuple<at::Tensor, at::Tensor> column_gain_backward(const at::Tensor& grad,
                                                        const at::Tensor& gram,
                                                        const at::Tensor& right,
                                                        const at::Tensor& norm, double scale);

namespace reference {
/// The same in plain ATen.
std::tuple<at::Tensor, at::Tensor> column_gain(const at::Tensor& gram, const at::Tensor& right,
                                               double scale);
}  // namespace reference

}  // namespace wf
