#pragma once

#include "weightformer/ops/grid.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <string>

namespace wf {

struct DynamicLinearOptions {
  DynamicLinearOptions(int64_t in, int64_t out) : in_(in), out_(out) {}
  TORCH_ARG(int64_t, in);                 ///< C, a multiple of 4
  TORCH_ARG(int64_t, out);                ///< D, a multiple of 4
  TORCH_ARG(std::string, mode) = "auto";  ///< how it is computed: see ops/dynamic_linear.h
};

/// A linear layer that predicts its weight from its own input (see ops/dynamic_linear.h).
/// Parameters: w [C, D], b [D], wfm (Linear C → C/4 + D/4), w1 [C/4, C], w2 [D/4, D].
class DynamicLinearImpl : public torch::nn::Cloneable<DynamicLinearImpl> {
 public:
  explicit DynamicLinearImpl(DynamicLinearOptions options);
  void reset() override;

  /// x: [B, H*W, C] → [B, H*W, D].
  at::Tensor forward(const at::Tensor& x, Grid grid);

  DynamicLinearOptions options;
  at::Tensor w, b, w1, w2;
  torch::nn::Linear wfm{nullptr};
};
TORCH_MODULE(DynamicLinear);

}  // namespace wf
