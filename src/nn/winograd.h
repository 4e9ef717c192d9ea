// 3 x 3 convolutions with fewer multiplications, for inference on CPUs.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// What winograd_conv3() multiplies by.
struct WinogradWeights {
  at::Tensor matrices;  // in oneDNN's own order, where packed; otherwise [16, I, O]
  bool packed = false;
  int64_t outputs = 0, channels = 0;
};

/// From the weights [O, I, 3, 3] of a convolution; float32 on the CPU.
WinogradWeights winograd_weights(const at::Tensor& weight);

/// The convolution of x [B, I, H, W] with stride 1 and padding 1, plus `residual` where it is
/// defined: [B, O, H, W], channels last; float32 on the CPU, without gradients. bias: [O].
///
/// F(2x2, 3x3) of Lavin and Gray 2016: 16 products of matrices for each 2 x 2 outputs in place of
/// 36, with sums before and after them. The result differs from that of a direct convolution by
/// rounding of the same size. All products have one shape, so an image's result depends neither on
/// the other images nor on the number of threads.
at::Tensor winograd_conv3(const at::Tensor& x, const WinogradWeights& weights,
                          const at::Tensor& bias, const at::Tensor& residual = {});

}  // namespace wf
