// Linear layers fused with neighboring operations.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// x Φ(x), or its approximation by a hyperbolic tangent (Hendrycks and Gimpel 2016).
enum class Gelu { exact, tanh };

/// gelu(x weightᵀ + bias). x: [..., C]; weight: [D, C]; bias: [D] → [..., D].
/// On a CPU in inference mode one oneDNN call, so that the hidden tensor is written once.
at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       Gelu kind = Gelu::exact);

/// gelu(x) weightᵀ + bias for training: stores only x for the backward pass, which recomputes
/// gelu(x) in less time than reading it would take; autograd would store two hidden tensors. x:
/// [..., C] → [..., D] in the dtype of x.
at::Tensor gelu_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       Gelu kind = Gelu::exact);

/// residual + x weightᵀ + bias, in one oneDNN call under the same conditions as linear_gelu.
/// residual: [..., D].
at::Tensor linear_add(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias);

/// The name of `kind` in ATen's gelu.
constexpr const char* approximate(Gelu kind) { return kind == Gelu::tanh ? "tanh" : "none"; }

}  // namespace wf
