#include "weightformer/nn/dynamic_linear.h"

#include "weightformer/core/check.h"
#include "weightformer/ops/dynamic_linear.h"
#include "weightformer/ops/token_pool.h"

#include "core/registry.h"
#include "nn/init.h"
#include "nn/products.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>

namespace wf {
namespace {

enum class Tokens { none, mean, pooled };  // that the weight is predicted from
enum class Silu { none, right, both };     // after the first linear layer

struct LinearPrediction {
  Tokens tokens = Tokens::none;
  Silu silu = Silu::none;
  bool deep = false;
};

const Registry<LinearPrediction>& linear_predictions() {
  static const Registry<LinearPrediction> table("linear predictor",
                                                {
                                                    {"static", {}},
                                                    {"gap", {Tokens::mean, Silu::both}},
                                                    {"linear", {Tokens::pooled, Silu::none}},
                                                    {"nonlinear", {Tokens::pooled, Silu::right}},
                                                    {"deep", {Tokens::pooled, Silu::both, true}},
                                                    {"bilateral", {Tokens::pooled, Silu::both}},
                                                });
  return table;
}

// [B, R, ·] with zero rows up to a multiple of eight, so that the GEMMs of a GPU read 16 bytes at a
// time. Zero rows of left and right change neither the predicted weight nor its norms.
at::Tensor with_aligned_rows(const at::Tensor& t) {
  const int64_t missing = (8 - t.size(1) % 8) % 8;
  return missing == 0 ? t : at::constant_pad_nd(t, {0, 0, 0, missing});
}

}  // namespace

std::vector<std::string> linear_predictors() { return linear_predictions().names(); }

DynamicLinearImpl::DynamicLinearImpl(DynamicLinearOptions options) : options(options) { reset(); }

void DynamicLinearImpl::reset() {
  const int64_t in = options.in(), out = options.out();
  WF_CHECK(in > 0 && out > 0 && in % 4 == 0 && out % 4 == 0,
           "DynamicLinear: widths must be positive multiples of 4, got ", in, " and ", out);
  w = register_parameter("w", at::empty({in, out}));
  b = register_parameter("b", at::empty({out}));
  const auto& prediction = linear_predictions().at(options.predictor());
  if (prediction.tokens != Tokens::none) {
    w1 = register_parameter("w1", at::empty({in / 4, in}));
    w2 = register_parameter("w2", at::empty({out / 4, out}));
    wfm = register_module("wfm", torch::nn::Linear(in, in / 4 + out / 4));
  }
  if (prediction.deep) {
    m1 = register_parameter("m1", at::empty({in / 4, in / 4}));
    m2 = register_parameter("m2", at::empty({out / 4, out / 4}));
  }
  for (const auto& own : named_parameters(/*recurse=*/false)) trunc_normal_(own.value(), 0.02);
}

std::optional<WeightFactors> DynamicLinearImpl::predict(const at::Tensor& x, Grid grid) {
  const auto& prediction = linear_predictions().at(options.predictor());
  if (prediction.tokens == Tokens::none) return std::nullopt;
  const bool mean = prediction.tokens == Tokens::mean;
  const auto tokens = mean ? x.mean(1, /*keepdim=*/true) : token_pool(x, grid);
  auto hidden = product_linear(tokens, wfm->weight, wfm->bias);  // [B, R, C/4 + D/4]
  if (prediction.silu == Silu::both) hidden = at::silu(hidden);
  if (!x.is_cpu()) hidden = with_aligned_rows(hidden);
  auto parts = hidden.split_with_sizes({options.in() / 4, options.out() / 4}, -1);
  if (prediction.silu == Silu::right) parts[1] = at::silu(parts[1]);
  if (prediction.deep) {
    parts[0] = at::silu(product_matmul(parts[0], m1));
    parts[1] = at::silu(product_matmul(parts[1], m2));
  }
  // One token stands for the N / 4 that the others sum over.
  if (mean) parts[0] = parts[0] * (static_cast<double>(x.size(1)) / 4);
  return WeightFactors{product_matmul(parts[0], w1), product_matmul(parts[1], w2)};
}

at::Tensor DynamicLinearImpl::forward(const at::Tensor& x, Grid grid) {
  const auto factors = predict(x, grid);
  if (!factors) return product_linear(x, w.t(), b);
  return dynamic_linear(operand(x), factors->left, factors->right, operand(w), operand(b),
                        options.mode());
}

}  // namespace wf
