#pragma once

#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/grid.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/pimpl.h>

namespace wf {

struct DynamicConvOptions {
  DynamicConvOptions(int64_t dim) : dim_(dim) {}
  TORCH_ARG(int64_t, dim);  ///< C
};

/// A 3 x 3 depthwise convolution that predicts its kernels from its own input (see
/// ops/dynamic_dwconv.h): pool to 3 x 3, then two 1 x 1 convolutions with a GELU between.
/// Parameters: w [C, 1, 3, 3], b [C], wfm.0 (Conv2d C → C), wfm.2 (Conv2d C → C, no bias).
class DynamicConvImpl : public torch::nn::Cloneable<DynamicConvImpl> {
 public:
  explicit DynamicConvImpl(DynamicConvOptions options);
  void reset() override;

  /// x: [B, H*W, C] → [B, H*W, C]. `fusion`: see ops/dynamic_dwconv.h; the kernels are predicted
  /// from the modulated input.
  at::Tensor forward(const at::Tensor& x, Grid grid, const DwconvOptions& fusion = {});

  DynamicConvOptions options;
  at::Tensor w, b;
  torch::nn::Sequential wfm{nullptr};
};
TORCH_MODULE(DynamicConv);

}  // namespace wf
