#pragma once

#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/grid.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <optional>
#include <string>
#include <vector>

namespace wf {

struct DynamicConvOptions {
  DynamicConvOptions(int64_t dim) : dim_(dim) {}
  TORCH_ARG(int64_t, dim);                         ///< C, a multiple of 4 for gap
  TORCH_ARG(std::string, predictor) = "adaptive";  ///< one of conv_predictors()
};

/// The names of the predictors of the kernels:
///   static     no prediction: the kernel is w
///   gap        from the mean of all tokens: Conv2d C → C/4, GELU, Conv2d C/4 → 9C
///   adaptive   pool to 3 x 3, then Conv2d C → C, GELU, Conv2d C → C, all of 1 x 1
///   amp-dir    amplitude and direction apart: the direction K / ‖K‖ of the kernel of adaptive,
///   times
///              an amplitude in 0 … 1, the sigmoid of a Conv2d C → C of the mean of all tokens
///   conv       a depthwise 3 x 3 Conv2d, GELU, pool to 3 x 3, then a 1 x 1 Conv2d C → C
/// adaptive is that of the published models. The paper names the others, and its code does not have
/// them: their formulas are this project's reading of the names.
std::vector<std::string> conv_predictors();

/// A 3 x 3 depthwise convolution that predicts its kernels from its own input (see
/// ops/dynamic_dwconv.h). Parameters: w [C, 1, 3, 3], b [C]; unless static wfm.0 and wfm.2, the
/// convolutions above in their order, the last without bias; in amp-dir also amplitude (Conv2d).
class DynamicConvImpl : public torch::nn::Cloneable<DynamicConvImpl> {
 public:
  /// Throws wf::Error, listing the known names, for an unknown predictor.
  explicit DynamicConvImpl(DynamicConvOptions options);
  void reset() override;

  /// x: [B, H*W, C] → [B, H*W, C]. `fusion`: see ops/dynamic_dwconv.h; the kernels are predicted
  /// from the modulated input.
  at::Tensor forward(const at::Tensor& x, Grid grid, const DwconvOptions& fusion = {});

  /// The kernels of forward() before they are normalized and w is added, [B, C, 3, 3]; nothing if
  /// static.
  std::optional<at::Tensor> predict(const at::Tensor& x, Grid grid,
                                    const DwconvOptions& fusion = {});

  DynamicConvOptions options;
  at::Tensor w, b;
  torch::nn::Sequential wfm{nullptr};
  torch::nn::Conv2d amplitude{nullptr};
};
TORCH_MODULE(DynamicConv);

}  // namespace wf
