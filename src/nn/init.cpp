#include "nn/init.h"

#include <torch/nn/modules/linear.h>

namespace wf {

void trunc_normal_(const at::Tensor& tensor, double std) {
  const at::NoGradGuard no_grad;
  tensor.normal_(0.0, std).clamp_(-2.0, 2.0);
}

void init_linears_(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  module.apply([](torch::nn::Module& child) {
    if (auto* linear = child.as<torch::nn::Linear>()) {
      trunc_normal_(linear->weight, 0.02);
      if (linear->bias.defined()) linear->bias.zero_();
    }
  });
}

}  // namespace wf
