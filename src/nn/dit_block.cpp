#include "weightformer/nn/dit_block.h"

#include <ATen/ops/addcmul.h>
#include <ATen/ops/linear.h>

namespace wf {

DiTBlockImpl::DiTBlockImpl(DiTBlockOptions options) : options(options) { reset(); }

void DiTBlockImpl::reset() {
  modulation = register_module("adaLN_modulation", AdaLN(AdaLNOptions(options.dim(), 6)));
  mixers.reset(*this, options.dim(), options.layer(), options.dynamic_linear());
}

at::Tensor DiTBlockImpl::forward(const at::Tensor& x, const at::Tensor& condition, Grid grid) {
  const auto parts = modulation->forward(condition);
  const auto &shift1 = parts[0], &scale1 = parts[1], &gate1 = parts[2];
  const auto &shift2 = parts[3], &scale2 = parts[4], &gate2 = parts[5];
  const auto mixed =
      mixers.convolve(layer_norm_no_affine(x), grid, {shift1, scale1, gate1, /*residual=*/true});
  const auto update = mixers.mlp(modulated_norm(mixed, shift2, scale2), grid, Gelu::tanh);
  return at::addcmul(mixed, gate2.unsqueeze(1), update);
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
  return at::linear(modulated_norm(x, parts[0], parts[1]), linear->weight, linear->bias);
}

}  // namespace wf
