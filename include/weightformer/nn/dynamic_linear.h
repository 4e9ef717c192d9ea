#pragma once

#include "weightformer/ops/grid.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <optional>
#include <string>
#include <vector>

namespace wf {

struct DynamicLinearOptions {
  DynamicLinearOptions(int64_t in, int64_t out) : in_(in), out_(out) {}
  TORCH_ARG(int64_t, in);                 ///< C, a multiple of 4
  TORCH_ARG(int64_t, out);                ///< D, a multiple of 4
  TORCH_ARG(std::string, mode) = "auto";  ///< how it is computed: see ops/dynamic_linear.h
  TORCH_ARG(std::string, predictor) = "bilateral";  ///< one of linear_predictors()
};

/// The names of the predictors. With the tokens X' that the weight is predicted from (pooled 2 x 2;
/// R rows), hidden = wfm(X') = [hₗ, hᵣ] of C/4 and D/4 columns, and σ = SiLU:
///   static      no prediction: Y = X w + b
///   gap         as bilateral, from one token, the mean of all: P has rank one
///   linear      left = hₗ w1, right = hᵣ w2: P is a correlation of linear maps of the tokens
///   nonlinear   left = hₗ w1, right = σ(hᵣ) w2
///   deep        left = σ(σ(hₗ) m1) w1, right = σ(σ(hᵣ) m2) w2
///   bilateral   left = σ(hₗ) w1, right = σ(hᵣ) w2
/// bilateral is that of the published models. The paper names the others, and its code does not
/// have them: their formulas are this project's reading of the names, chosen so that each differs
/// from bilateral in one respect.
std::vector<std::string> linear_predictors();

/// The factors of a predicted weight, see ops/dynamic_linear.h: [B, R, C] and [B, R, D].
struct WeightFactors {
  at::Tensor left, right;
};

/// A linear layer that predicts its weight from its own input (see ops/dynamic_linear.h).
/// Parameters: w [C, D], b [D]; unless static wfm (Linear C → C/4 + D/4), w1 [C/4, C],
/// w2 [D/4, D]; if deep m1 [C/4, C/4], m2 [D/4, D/4].
class DynamicLinearImpl : public torch::nn::Cloneable<DynamicLinearImpl> {
 public:
  /// Throws wf::Error, listing the known names, for an unknown predictor.
  explicit DynamicLinearImpl(DynamicLinearOptions options);
  void reset() override;

  /// x: [B, H*W, C] → [B, H*W, D].
  at::Tensor forward(const at::Tensor& x, Grid grid);

  /// What forward(x, grid) computes its weight from; nothing if static.
  std::optional<WeightFactors> predict(const at::Tensor& x, Grid grid);

  DynamicLinearOptions options;
  at::Tensor w, b, w1, w2, m1, m2;
  torch::nn::Linear wfm{nullptr};
};
TORCH_MODULE(DynamicLinear);

}  // namespace wf
