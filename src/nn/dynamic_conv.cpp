#include "weightformer/nn/dynamic_conv.h"

#include "weightformer/nn/init.h"
#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/grid_pool3.h"

#include <ATen/ops/empty.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/conv.h>

namespace wf {

DynamicConvImpl::DynamicConvImpl(DynamicConvOptions options) : options(options) { reset(); }

void DynamicConvImpl::reset() {
  const int64_t dim = options.dim();
  using Conv = torch::nn::Conv2dOptions;
  w = register_parameter("w", at::empty({dim, 1, 3, 3}));
  b = register_parameter("b", at::empty({dim}));
  wfm = register_module(
      "wfm", torch::nn::Sequential(torch::nn::Conv2d(Conv(dim, dim, 1)), torch::nn::GELU(),
                                   torch::nn::Conv2d(Conv(dim, dim, 1).bias(false))));
  trunc_normal_(w, 0.02);
  trunc_normal_(b, 0.02);
}

at::Tensor DynamicConvImpl::forward(const at::Tensor& x, Grid grid) {
  const auto cells = grid_pool3(x, grid).transpose(1, 2).unflatten(2, {3, 3});  // [B, C, 3, 3]
  return dynamic_dwconv(x, grid, wfm->forward(cells), w, b);
}

}  // namespace wf
