#include "weightformer/nn/block.h"

#include "weightformer/nn/fused_linear.h"
#include "weightformer/ops/dynamic_dwconv.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/gelu.h>

namespace wf {

BlockImpl::BlockImpl(BlockOptions options) : options(options) { reset(); }

void BlockImpl::reset() {
  const int64_t dim = options.dim(), hidden = 4 * dim;
  const auto norm = torch::nn::LayerNormOptions({dim}).eps(1e-6);
  norm2 = register_module("norm2", torch::nn::LayerNorm(norm));
  if (dynamic()) {
    norm1 = register_module("norm1", torch::nn::LayerNorm(norm));
    dynamic_linear1 = register_module(
        "linear1", DynamicLinear(DynamicLinearOptions(dim, hidden).mode(options.dynamic_linear())));
    dynamic_dwc = register_module("dwc", DynamicConv(DynamicConvOptions(dim)));
  } else {
    linear1 = register_module("linear1", torch::nn::Linear(dim, hidden));
    dwc = register_module(
        "dwc", torch::nn::Conv2d(torch::nn::Conv2dOptions(dim, dim, 3).padding(1).groups(dim)));
  }
  linear2 = register_module("linear2", torch::nn::Linear(hidden, dim));
  drop_path = register_module("drop_path", DropPath(options.drop_path()));
}

at::Tensor BlockImpl::forward(at::Tensor x, Grid grid) {
  DwconvOptions around;
  around.residual = true;
  if (dynamic()) {
    x = norm1->forward(x);
    x = dynamic_dwc->forward(x, grid, around);
  } else {
    x = dynamic_dwconv(x, grid, std::nullopt, dwc->weight, dwc->bias, around);
  }
  const auto normed = norm2->forward(x);
  if (at::GradMode::is_enabled()) {
    const auto hidden =
        dynamic() ? dynamic_linear1->forward(normed, grid) : linear1->forward(normed);
    return x + drop_path->forward(gelu_linear(hidden, linear2->weight, linear2->bias));
  }
  const auto hidden = dynamic() ? at::gelu(dynamic_linear1->forward(normed, grid))
                                : linear_gelu(normed, linear1->weight, linear1->bias);
  // In training mode without gradients, too, samples may be dropped.
  if (drop_path->active()) return x + drop_path->forward(linear2->forward(hidden));
  return linear_add(x, hidden, linear2->weight, linear2->bias);
}

}  // namespace wf
