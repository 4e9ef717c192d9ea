// Linear layers together with what stands next to them.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// x Φ(x), or its approximation by a hyperbolic tangent (Hendrycks and Gimpel 2016).
enum class Gelu { exact, tanh };

/// gelu(x weightᵀ + bias). x: [..., C]; weight: [D, C]; bias: [D] → [..., D].
/// On a CPU in inference mode one oneDNN call, so that the hidden tensor is written once.
at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       Gelu kind = Gelu::exact);

/// gelu(x) weightᵀ + bias for training: keeps x alone for the backward pass, which makes gelu(x)
/// again for less time than it costs to move it, instead of the two hidden tensors that autograd
/// would keep. x: [..., C] → [..., D] in the dtype of x.
at::Tensor gelu_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       Gelu kind = Gelu::exact);

/// residual + x weightᵀ + bias, in one oneDNN call where linear_gelu is one. residual: [..., D].
at::Tensor linear_add(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias);

/// The name by which ATen's gelu knows `kind`.
constexpr const char* approximate(Gelu kind) { return kind == Gelu::tanh ? "tanh" : "none"; }

}  // namespace wf
