#include "weightformer/nn/block.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace wf {

BlockImpl::BlockImpl(BlockOptions options) : options(options) { reset(); }

void BlockImpl::reset() {
  const int64_t dim = options.dim();
  const auto norm = torch::nn::LayerNormOptions({dim}).eps(1e-6);
  norm2 = register_module("norm2", torch::nn::LayerNorm(norm));
  if (is_dynamic_layer(options.layer())) {
    norm1 = register_module("norm1", torch::nn::LayerNorm(norm));
  }
  mixers.reset(*this, dim, options.layer(), options.dynamic_linear());
  drop_path = register_module("drop_path", DropPath(options.drop_path()));
}

at::Tensor BlockImpl::forward(at::Tensor x, Grid grid) {
  DwconvOptions fusion;
  fusion.residual = true;
  if (mixers.dynamic()) x = norm1->forward(x);
  x = mixers.convolve(x, grid, fusion);
  const auto normed = norm2->forward(x);
  // Samples may also be dropped in training mode without gradients.
  if (at::GradMode::is_enabled() || drop_path->active()) {
    return x + drop_path->forward(mixers.mlp(normed, grid, Gelu::exact));
  }
  return mixers.add_mlp(x, normed, grid, Gelu::exact);
}

}  // namespace wf
