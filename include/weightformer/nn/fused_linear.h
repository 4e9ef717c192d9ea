// Linear layers together with what follows them.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// gelu(x weightᵀ + bias), exact GELU. x: [..., C]; weight: [D, C]; bias: [D] → [..., D].
/// On a CPU in inference mode one oneDNN call, so that the hidden tensor is written once.
at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// gelu(x) weightᵀ + bias for training: keeps x alone for the backward pass, which makes gelu(x)
/// again for less time than it costs to move it, instead of the two hidden tensors that autograd
/// would keep. x: [..., C] → [..., D] in the dtype of x.
at::Tensor gelu_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// residual + x weightᵀ + bias, likewise. residual: [..., D].
at::Tensor linear_add(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias);

}  // namespace wf
