#include "weightformer/nn/dynamic_conv.h"

#include "weightformer/nn/modulate.h"
#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/grid_pool3.h"

#include "nn/init.h"
#include "nn/products.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
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

at::Tensor DynamicConvImpl::forward(const at::Tensor& x, Grid grid, const DwconvOptions& fusion) {
  // Over tokens a 1 x 1 convolution is a linear layer, whose result has the memory layout that the
  // op prefers.
  const auto pointwise = [this](size_t i, const at::Tensor& cells) {
    const auto* conv = wfm[i]->as<torch::nn::Conv2d>();
    return product_linear(cells, conv->weight.flatten(1), conv->bias);
  };
  auto cells = grid_pool3(x, grid);  // [B, 9, C]
  // Modulation is affine and pooling takes means: nine cells instead of all tokens.
  if (fusion.scale) cells = modulate(cells, *fusion.shift, *fusion.scale);
  cells = pointwise(2, at::gelu(pointwise(0, cells)));
  const auto kernel = cells.transpose(1, 2).unflatten(2, {3, 3});
  return dynamic_dwconv(x, grid, kernel, w, b, fusion);
}

}  // namespace wf
