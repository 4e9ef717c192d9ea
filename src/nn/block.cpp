#include "weightformer/nn/block.h"

#include "weightformer/ops/layer_norm.h"

#include "nn/norm_tokens.h"
#include "nn/products.h"
#include "nn/residual.h"

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
  mixers.reset(*this, dim, options.layer(), options.mixers());
  drop_path = register_module("drop_path", DropPath(options.drop_path()));
}

at::Tensor BlockImpl::forward(at::Tensor x, Grid grid) {
  return forward_linked(std::move(x), grid, {});
}

at::Tensor BlockImpl::forward_linked(at::Tensor x, Grid grid, const BlockLinks& links) {
  DwconvOptions fusion;
  fusion.residual = true;
  if (mixers.dynamic() && !links.normalized) x = norm_tokens(*norm1, x);
  x = mixers.convolve(x, grid, fusion);
  auto norm = options_of(*norm2);
  norm.dtype = product_type(x);
  const auto [skip, normed] = layer_norm_fork(x, norm);
  // Samples may also be dropped in training mode without gradients.
  if (!at::GradMode::is_enabled() && !drop_path->active()) {
    x = mixers.add_mlp(skip, normed, grid, Gelu::exact);
    return links.next.is_empty() ? x : norm_tokens(*links.next.ptr(), x);
  }
  const auto update = mixers.mlp(normed, grid, Gelu::exact);
  const auto rows = drop_path->row_scale(skip);
  if (links.next.is_empty()) return add_residual(skip, update, rows);
  auto next = options_of(*links.next);
  next.update = update;
  if (rows.defined()) next.row_scale = rows;
  return layer_norm(skip, next);
}

}  // namespace wf
