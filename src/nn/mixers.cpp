#include "weightformer/nn/mixers.h"

#include "weightformer/core/check.h"
#include "weightformer/ops/dynamic_dwconv.h"

#include "core/registry.h"
#include "nn/products.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/gelu.h>

namespace wf {

void check_predictors(const MixerOptions& options) {
  const auto check = [](const char* what, const std::string& name,
                        const std::vector<std::string>& known) {
    WF_CHECK(std::find(known.begin(), known.end(), name) != known.end(), "unknown ", what, " '",
             name, "': known: ", join(known, ", "));
  };
  check("linear predictor", options.linear_predictor, linear_predictors());
  check("convolution predictor", options.conv_predictor, conv_predictors());
}

void Mixers::reset(torch::nn::Module& owner, int64_t dim, int64_t layer,
                   const MixerOptions& options) {
  const int64_t hidden = 4 * dim;
  if (is_dynamic_layer(layer)) {
    dynamic_linear1_ =
        owner.register_module("linear1", DynamicLinear(DynamicLinearOptions(dim, hidden)
                                                           .mode(options.dynamic_linear)
                                                           .predictor(options.linear_predictor)));
    dynamic_dwc_ = owner.register_module(
        "dwc", DynamicConv(DynamicConvOptions(dim).predictor(options.conv_predictor)));
  } else {
    linear1_ = owner.register_module("linear1", torch::nn::Linear(dim, hidden));
    dwc_ = owner.register_module(
        "dwc", torch::nn::Conv2d(torch::nn::Conv2dOptions(dim, dim, 3).padding(1).groups(dim)));
  }
  linear2_ = owner.register_module("linear2", torch::nn::Linear(hidden, dim));
}

at::Tensor Mixers::convolve(const at::Tensor& x, Grid grid, const DwconvOptions& fusion) {
  if (dynamic()) return dynamic_dwc_->forward(x, grid, fusion);
  return dynamic_dwconv(x, grid, std::nullopt, dwc_->weight, dwc_->bias, fusion);
}

at::Tensor Mixers::hidden_of(const at::Tensor& x, Grid grid, Gelu kind) {
  if (dynamic()) return at::gelu(dynamic_linear1_->forward(x, grid), approximate(kind));
  return linear_gelu(x, linear1_->weight, linear1_->bias, kind);
}

at::Tensor Mixers::mlp(const at::Tensor& x, Grid grid, Gelu kind) {
  if (!at::GradMode::is_enabled()) {
    return product_linear(hidden_of(x, grid, kind), linear2_->weight, linear2_->bias);
  }
  // LibTorch's Linear would add the bias of [B, N, C] in a second pass, and round twice.
  const auto hidden = dynamic() ? dynamic_linear1_->forward(x, grid)
                                : product_linear(x, linear1_->weight, linear1_->bias);
  return gelu_linear(hidden, linear2_->weight, linear2_->bias, kind);
}

at::Tensor Mixers::add_mlp(const at::Tensor& residual, const at::Tensor& x, Grid grid, Gelu kind) {
  return linear_add(residual, hidden_of(x, grid, kind), linear2_->weight, linear2_->bias);
}

}  // namespace wf
