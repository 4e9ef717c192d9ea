// Matrix products in mixed precision. Under MixedPrecision they cast their operands themselves and
// leave PyTorch's autocast out; with TokenType::autocast, and without mixed precision, they are
// PyTorch's operators and nothing else.
#pragma once

#include "weightformer/nn/mixed_precision.h"

#include <ATen/core/Tensor.h>

#include <optional>

namespace wf {

/// The dtype in which matrix products take x.
at::ScalarType product_type(const at::Tensor& x);

/// The dtype of tokens that are made of x.
at::ScalarType token_type(const at::Tensor& x);

/// x as an operand of a product.
at::Tensor operand(const at::Tensor& x);

/// x weightᵀ + bias.
at::Tensor product_linear(const at::Tensor& x, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias);

/// a b. a: [..., C], b: [C, D].
at::Tensor product_matmul(const at::Tensor& a, const at::Tensor& b);

/// A convolution whose windows do not overlap.
at::Tensor product_patches(const at::Tensor& images, const at::Tensor& weight,
                           const at::Tensor& bias);

}  // namespace wf
