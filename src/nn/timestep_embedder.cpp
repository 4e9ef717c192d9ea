#include "weightformer/nn/timestep_embedder.h"

#include "weightformer/core/check.h"

#include "nn/products.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/silu.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace wf {

TimestepEmbedderImpl::TimestepEmbedderImpl(TimestepEmbedderOptions options) : options(options) {
  reset();
}

void TimestepEmbedderImpl::reset() {
  const int64_t dim = options.dim(), frequencies = options.frequencies();
  WF_CHECK(frequencies > 0 && frequencies % 2 == 0,
           "TimestepEmbedder: frequencies must be positive and even, got ", frequencies);
  mlp =
      register_module("mlp", torch::nn::Sequential(torch::nn::Linear(frequencies, dim),
                                                   torch::nn::SiLU(), torch::nn::Linear(dim, dim)));
  const at::NoGradGuard no_grad;
  for (const size_t i : {0, 2}) {
    auto* linear = mlp[i]->as<torch::nn::Linear>();
    linear->weight.normal_(0, 0.02);
    linear->bias.zero_();
  }
}

at::Tensor TimestepEmbedderImpl::forward(const at::Tensor& t) {
  const int64_t half = options.frequencies() / 2;
  // Angles reach 1000 radians, where another order of float32 operations changes the angle.
  const auto counted = at::arange(half, t.options().dtype(at::kFloat));
  const auto rates = at::exp(counted * -std::log(10000.0) / half);
  const auto angles = t.to(at::kFloat).unsqueeze(1) * rates;
  const auto waves = at::cat({angles.cos(), angles.sin()}, 1);
  const auto of = [this](size_t i, const at::Tensor& x) {
    const auto* linear = mlp[i]->as<torch::nn::Linear>();
    return product_linear(x, linear->weight, linear->bias);
  };
  const auto type = mlp[0]->as<torch::nn::Linear>()->weight.scalar_type();
  return of(2, at::silu(of(0, waves.to(type))));
}

}  // namespace wf
