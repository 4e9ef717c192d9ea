#pragma once

#include "weightformer/nn/dynamic_conv.h"
#include "weightformer/nn/dynamic_linear.h"
#include "weightformer/nn/fused_linear.h"

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <string>

namespace wf {

/// Layers 1, 4, 7, … (from 0) predict their weights; the others have static weights.
constexpr bool is_dynamic_layer(int64_t layer) { return (layer + 2) % 3 == 0; }

/// Options that all blocks of a model share.
struct MixerOptions {
  std::string dynamic_linear = "auto";         ///< see ops/dynamic_linear.h
  std::string linear_predictor = "bilateral";  ///< one of linear_predictors()
  std::string conv_predictor = "adaptive";     ///< one of conv_predictors()
};

/// Throws wf::Error, listing the known names, unless both are names of predictors.
void check_predictors(const MixerOptions& options);

/// The layers of every block: a depthwise convolution (dwc), and two linear layers (linear1,
/// linear2) with a GELU between them. In dynamic layers dwc and linear1 predict their weights.
class Mixers {
 public:
  /// Creates the modules for `layer` (its index in the model, from 0) of width `dim` and registers
  /// them in `owner` as linear1, dwc and linear2. The hidden width is 4*dim.
  void reset(torch::nn::Module& owner, int64_t dim, int64_t layer, const MixerOptions& options);

  bool dynamic() const { return !dynamic_dwc_.is_empty(); }

  /// x: [B, H*W, C] → [B, H*W, C]. `fusion`: see ops/dynamic_dwconv.h.
  at::Tensor convolve(const at::Tensor& x, Grid grid, const DwconvOptions& fusion);

  /// dwc and linear1 of a dynamic layer; empty holders in the others.
  DynamicConv dynamic_dwc() const { return dynamic_dwc_; }
  DynamicLinear dynamic_linear1() const { return dynamic_linear1_; }

  /// linear2(gelu(linear1(x))): [B, H*W, C] → [B, H*W, C].
  at::Tensor mlp(const at::Tensor& x, Grid grid, Gelu kind);

  /// residual + mlp(x), for use without gradients.
  at::Tensor add_mlp(const at::Tensor& residual, const at::Tensor& x, Grid grid, Gelu kind);

 private:
  at::Tensor hidden_of(const at::Tensor& x, Grid grid, Gelu kind);

  // Exactly one of each pair exists; both have the same name in the state dict.
  torch::nn::Linear linear1_{nullptr};
  DynamicLinear dynamic_linear1_{nullptr};
  torch::nn::Conv2d dwc_{nullptr};
  DynamicConv dynamic_dwc_{nullptr};
  torch::nn::Linear linear2_{nullptr};
};

}  // namespace wf
