#include "nn/norm_tokens.h"

#include "weightformer/nn/mixed_precision.h"

namespace wf {

NormOptions options_of(const torch::nn::LayerNormImpl& norm) {
  NormOptions out;
  out.weight = norm.weight;
  out.bias = norm.bias;
  out.eps = norm.options.eps();
  return out;
}

at::Tensor norm_tokens(torch::nn::LayerNormImpl& norm, const at::Tensor& x) {
  const auto precision = MixedPrecision::current(x.device().type());
  if (precision && precision->tokens == TokenType::autocast) return norm.forward(x);
  return layer_norm(x, options_of(norm));
}

}  // namespace wf
