#include "nn/products.h"

#include "weightformer/nn/short_weights.h"

#include "ops/gemm.h"
#include "ops/op_common.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>

namespace wf {
namespace {

// The precision under which the layers cast by themselves.
std::optional<Precision> own_precision(const at::Tensor& x) {
  auto precision = MixedPrecision::current(x.device().type());
  if (precision && precision->tokens == TokenType::autocast) return std::nullopt;
  return precision;
}

// product(cast), where cast(t) is an operand of the product.
template <typename Product>
at::Tensor multiply(const at::Tensor& x, Product product) {
  const auto precision = own_precision(x);
  if (!precision) return product([](const at::Tensor& t) { return t; });
  const NoAutocast no_autocast;
  return product([&](const at::Tensor& t) { return ShortWeights::cast(t, precision->products); });
}

// As a product: faster to train than a convolution of images with three channels, and LibTorch has
// no convolution of tensors without data.
at::Tensor patches_as_rows(const at::Tensor& images, const at::Tensor& weight,
                           const at::Tensor& bias) {
  const int64_t patch = weight.size(2), h = images.size(2) / patch, w = images.size(3) / patch;
  const auto whole = images.slice(2, 0, h * patch).slice(3, 0, w * patch).permute({0, 2, 3, 1});
  const auto rows = whole.unflatten(2, {w, patch})
                        .unflatten(1, {h, patch})
                        .transpose(2, 3)  // [B, h, w, p, p, C]
                        .flatten(3);
  const auto like_rows = weight.permute({0, 2, 3, 1}).flatten(1);
  return linear_product(rows, like_rows, bias).permute({0, 3, 1, 2});
}

}  // namespace

at::ScalarType product_type(const at::Tensor& x) {
  const auto precision = MixedPrecision::current(x.device().type());
  return precision ? precision->products : x.scalar_type();
}

at::ScalarType token_type(const at::Tensor& x) {
  const auto precision = own_precision(x);
  if (!precision) return x.scalar_type();
  return precision->tokens == TokenType::float32 ? at::kFloat : precision->products;
}

at::Tensor operand(const at::Tensor& x) {
  return multiply(x, [&](auto cast) { return cast(x); });
}

at::Tensor product_linear(const at::Tensor& x, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias) {
  return multiply(x, [&](auto cast) {
    const bool has_bias = bias && bias->defined();
    return linear_product(cast(x), cast(weight),
                          has_bias ? std::optional(at::Tensor(cast(*bias))) : std::nullopt);
  });
}

at::Tensor product_matmul(const at::Tensor& a, const at::Tensor& b) {
  return multiply(a, [&](auto cast) { return linear_product(cast(a), cast(b).t(), std::nullopt); });
}

at::Tensor product_patches(const at::Tensor& images, const at::Tensor& weight,
                           const at::Tensor& bias) {
  return multiply(images, [&](auto cast) {
    if (images.is_meta() || (at::GradMode::is_enabled() && weight.requires_grad())) {
      return patches_as_rows(cast(images), cast(weight), cast(bias));
    }
    return at::conv2d(cast(images), cast(weight), cast(bias), weight.sizes().slice(2));
  });
}

}  // namespace wf
