#include "weightformer/nn/modulate.h"

#include "nn/products.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addcmul.h>

namespace wf {

using at::Tensor;

Tensor modulate(const Tensor& x, const Tensor& shift, const Tensor& scale) {
  return at::addcmul(shift.unsqueeze(1).to(x), x, scale.unsqueeze(1).to(x) + 1);
}

AdaLNImpl::AdaLNImpl(AdaLNOptions options) : options(options) { reset(); }

void AdaLNImpl::reset() {
  linear = register_module("1", torch::nn::Linear(options.dim(), options.parts() * options.dim()));
  const at::NoGradGuard no_grad;
  linear->weight.zero_();
  linear->bias.zero_();
}

std::vector<Tensor> AdaLNImpl::forward(const Tensor& condition) {
  return product_linear(condition, linear->weight, linear->bias).chunk(options.parts(), 1);
}

}  // namespace wf
