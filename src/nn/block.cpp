#include "weightformer/nn/block.h"

#include "weightformer/ops/layer_norm.h"

#include "nn/autocast.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace wf {
namespace {

NormOptions options_of(const torch::nn::LayerNormImpl& norm) {
  NormOptions out;
  out.weight = norm.weight;
  out.bias = norm.bias;
  out.eps = norm.options.eps();
  return out;
}

}  // namespace

BlockImpl::BlockImpl(BlockOptions options) : options(options) { reset(); }

void BlockImpl::reset() {
  const int64_t dim = options.dim();
  const auto norm = torch::nn::LayerNormOptions({dim}).eps(1e-6);
  norm2 = register_module("norm2", torch::nn::LayerNorm(norm));
  if (is_dynamic_layer(options.layer())) {
    norm1 = register_module("norm1", torch::nn::LayerNorm(norm));
  }
  mixers.reset(*this, dim, options.layer(), options.mixers());
  drop_path = register_module("drop_path", DropPath(options.drop_path()));
}

at::Tensor BlockImpl::forward(at::Tensor x, Grid grid) {
  DwconvOptions fusion;
  fusion.residual = true;
  if (mixers.dynamic()) x = layer_norm(x, options_of(*norm1));
  x = mixers.convolve(x, grid, fusion);
  auto norm = options_of(*norm2);
  norm.dtype = compute_type(x);
  const auto [skip, normed] = layer_norm_fork(x, norm);
  // Samples may also be dropped in training mode without gradients.
  if (at::GradMode::is_enabled() || drop_path->active()) {
    return skip + drop_path->forward(mixers.mlp(normed, grid, Gelu::exact));
  }
  return mixers.add_mlp(skip, normed, grid, Gelu::exact);
}

}  // namespace wf
