// 3 x 3 convolutions with fewer multiplications, for inference on CPUs.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// The weights [O, I, 3, 3] of a convolution for winograd_conv3(): [16, O, I] float32.
at::Tensor winograd_weights(const at::Tensor& weight);

/// The convolution of x [B, I, H, W] with stride 1 and padding 1, [B, O, H, W]; float32 on the CPU,
/// without gradients. weights: of winograd_weights(); bias: [O].
///
/// F(2x2, 3x3) of Lavin and Gray 2016: 16 products of matrices for each 2 x 2 outputs in place of
/// 36, with sums before and after them. The result differs from that of a direct convolution by
/// rounding of the same size.
at::Tensor winograd_conv3(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& bias);

}  // namespace wf
