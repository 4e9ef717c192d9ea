#include "weightformer/nn/dit_block.h"

#include "weightformer/ops/layer_norm.h"

#include "nn/products.h"

#include <ATen/ops/addcmul.h>

namespace wf {

DiTBlockImpl::DiTBlockImpl(DiTBlockOptions options) : options(options) { reset(); }

void DiTBlockImpl::reset() {
  modulation = register_module("adaLN_modulation", AdaLN(AdaLNOptions(options.dim(), 6)));
  mixers.reset(*this, options.dim(), options.layer(), options.mixers());
}

at::Tensor DiTBlockImpl::forward(const at::Tensor& x, const at::Tensor& condition, Grid grid) {
  return forward_normalized(layer_norm(x), condition, grid, {});
}

at::Tensor DiTBlockImpl::forward_normalized(const at::Tensor& x, const at::Tensor& condition,
                                            Grid grid, const DiTBlockResult& result) {
  const auto parts = modulation->forward(condition);
  const auto &shift1 = parts[0], &scale1 = parts[1], &gate1 = parts[2], &gate2 = parts[5];
  const auto mixed = mixers.convolve(x, grid, {shift1, scale1, gate1, /*residual=*/true});
  NormOptions second;
  second.shift = parts[3];
  second.scale = parts[4];
  second.dtype = product_type(mixed);
  const auto [skip, normed] = layer_norm_fork(mixed, second);
  const auto update = mixers.mlp(normed, grid, Gelu::tanh);
  if (!result.normalized) return at::addcmul(skip, gate2.unsqueeze(1).to(skip), update.to(skip));
  NormOptions next;
  next.update = update;
  next.gate = gate2;
  return layer_norm(skip, next);
}

FinalLayerImpl::FinalLayerImpl(FinalLayerOptions options) : options(options) { reset(); }

void FinalLayerImpl::reset() {
  linear = register_module("linear", torch::nn::Linear(options.dim(), options.out()));
  modulation = register_module("adaLN_modulation", AdaLN(AdaLNOptions(options.dim(), 2)));
  const at::NoGradGuard no_grad;
  linear->weight.zero_();
  linear->bias.zero_();
}

at::Tensor FinalLayerImpl::forward(const at::Tensor& x, const at::Tensor& condition) {
  const auto parts = modulation->forward(condition);
  NormOptions norm;
  norm.shift = parts[0];
  norm.scale = parts[1];
  norm.dtype = product_type(x);
  return product_linear(layer_norm(x, norm), linear->weight, linear->bias);
}

}  // namespace wf
