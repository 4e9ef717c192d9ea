#include "weightformer/nn/dynamic_conv.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/modulate.h"
#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/grid_pool3.h"

#include "core/registry.h"
#include "nn/init.h"
#include "nn/products.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/conv.h>

namespace wf {
namespace {

using Conv = torch::nn::Conv2dOptions;

// A way to predict kernels: creates the modules, and computes [B, 9, C], the memory layout that the
// op prefers.
struct KernelPrediction {
  void (*create)(DynamicConvImpl& layer) = nullptr;
  at::Tensor (*taps)(DynamicConvImpl& layer, const at::Tensor& x, Grid grid,
                     const DwconvOptions& fusion) = nullptr;
};

// Over tokens a 1 x 1 convolution is a linear layer.
at::Tensor pointwise(const torch::nn::Conv2dImpl& conv, const at::Tensor& tokens) {
  return product_linear(tokens, conv.weight.flatten(1), conv.bias);
}

const torch::nn::Conv2dImpl& conv_of(const DynamicConvImpl& layer, size_t i) {
  return *layer.wfm->ptr(i)->as<torch::nn::Conv2d>();
}

// Modulation is affine and pooling takes means: few cells instead of all tokens.
at::Tensor modulated(const at::Tensor& cells, const DwconvOptions& fusion) {
  return fusion.scale ? modulate(cells, *fusion.shift, *fusion.scale) : cells;
}

at::Tensor mean_token(const at::Tensor& x, const DwconvOptions& fusion) {
  return modulated(x.mean(1, /*keepdim=*/true), fusion);
}

void add_layers(DynamicConvImpl& layer, const Conv& first, const Conv& last) {
  layer.wfm = layer.register_module(
      "wfm", torch::nn::Sequential(torch::nn::Conv2d(first), torch::nn::GELU(),
                                   torch::nn::Conv2d(Conv(last).bias(false))));
}

void create_gap(DynamicConvImpl& layer) {
  const int64_t dim = layer.options.dim();
  WF_CHECK(dim % 4 == 0, "DynamicConv: gap needs a multiple of 4 channels, got ", dim);
  add_layers(layer, Conv(dim, dim / 4, 1), Conv(dim / 4, 9 * dim, 1));
}

at::Tensor gap_taps(DynamicConvImpl& layer, const at::Tensor& x, Grid,
                    const DwconvOptions& fusion) {
  const auto hidden = at::gelu(pointwise(conv_of(layer, 0), mean_token(x, fusion)));
  return pointwise(conv_of(layer, 2), hidden).view({x.size(0), 9, layer.options.dim()});
}

void create_adaptive(DynamicConvImpl& layer) {
  const int64_t dim = layer.options.dim();
  add_layers(layer, Conv(dim, dim, 1), Conv(dim, dim, 1));
}

at::Tensor adaptive_taps(DynamicConvImpl& layer, const at::Tensor& x, Grid grid,
                         const DwconvOptions& fusion) {
  const auto cells = modulated(grid_pool3(x, grid), fusion);
  return pointwise(conv_of(layer, 2), at::gelu(pointwise(conv_of(layer, 0), cells)));
}

void create_amp_dir(DynamicConvImpl& layer) {
  const int64_t dim = layer.options.dim();
  create_adaptive(layer);
  layer.amplitude = layer.register_module("amplitude", torch::nn::Conv2d(Conv(dim, dim, 1)));
}

// The op takes K / (1 + ‖K‖), which for K = exp(z) d with ‖d‖ = 1 is sigmoid(z) d.
at::Tensor amp_dir_taps(DynamicConvImpl& layer, const at::Tensor& x, Grid grid,
                        const DwconvOptions& fusion) {
  constexpr double kFarthest = 15, kSmallest = 1e-6;
  const auto wide = [](const at::Tensor& t) {
    return t.scalar_type() == at::kDouble ? t : t.to(at::kFloat);
  };
  const auto direction = wide(adaptive_taps(layer, x, grid, fusion));
  const auto length = at::linalg_vector_norm(direction, 2, 1, /*keepdim=*/true);
  const auto z = wide(pointwise(*layer.amplitude, mean_token(x, fusion)));
  return direction * (z.clamp(-kFarthest, kFarthest).exp() / (length + kSmallest));
}

void create_conv(DynamicConvImpl& layer) {
  const int64_t dim = layer.options.dim();
  add_layers(layer, Conv(dim, dim, 3).padding(1).groups(dim), Conv(dim, dim, 1));
}

at::Tensor conv_taps(DynamicConvImpl& layer, const at::Tensor& x, Grid grid,
                     const DwconvOptions& fusion) {
  DwconvOptions input;
  input.shift = fusion.shift;
  input.scale = fusion.scale;
  const auto& first = conv_of(layer, 0);
  const auto local = dynamic_dwconv(x, grid, std::nullopt, first.weight, first.bias, input);
  return pointwise(conv_of(layer, 2), grid_pool3(at::gelu(local), grid));
}

const Registry<KernelPrediction>& kernel_predictions() {
  static const Registry<KernelPrediction> table("convolution predictor",
                                                {
                                                    {"static", {}},
                                                    {"gap", {create_gap, gap_taps}},
                                                    {"adaptive", {create_adaptive, adaptive_taps}},
                                                    {"amp-dir", {create_amp_dir, amp_dir_taps}},
                                                    {"conv", {create_conv, conv_taps}},
                                                });
  return table;
}

}  // namespace

std::vector<std::string> conv_predictors() { return kernel_predictions().names(); }

DynamicConvImpl::DynamicConvImpl(DynamicConvOptions options) : options(options) { reset(); }

void DynamicConvImpl::reset() {
  const int64_t dim = options.dim();
  w = register_parameter("w", at::empty({dim, 1, 3, 3}));
  b = register_parameter("b", at::empty({dim}));
  const auto create = kernel_predictions().at(options.predictor()).create;
  if (create) create(*this);
  trunc_normal_(w, 0.02);
  trunc_normal_(b, 0.02);
}

std::optional<at::Tensor> DynamicConvImpl::predict(const at::Tensor& x, Grid grid,
                                                   const DwconvOptions& fusion) {
  const auto taps = kernel_predictions().at(options.predictor()).taps;
  if (!taps) return std::nullopt;
  return taps(*this, x, grid, fusion).transpose(1, 2).unflatten(2, {3, 3});
}

at::Tensor DynamicConvImpl::forward(const at::Tensor& x, Grid grid, const DwconvOptions& fusion) {
  return dynamic_dwconv(x, grid, predict(x, grid, fusion), w, b, fusion);
}

}  // namespace wf
