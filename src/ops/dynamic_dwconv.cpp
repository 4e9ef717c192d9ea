#include "weightformer/ops/dynamic_dwconv.h"

#include "weightformer/core/check.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linalg_vector_norm.h>

namespace wf {
namespace {

void check_shapes(const at::Tensor& x, Grid grid, const std::optional<at::Tensor>& kernel,
                  const at::Tensor& weight, const at::Tensor& bias) {
  WF_CHECK(x.dim() == 3 && x.size(1) == grid.tokens(), "[dynamic_dwconv] x: expected (B, ",
           grid.height, "*", grid.width, ", C), got ", x.sizes());
  const int64_t b = x.size(0), c = x.size(2);
  WF_CHECK(weight.sizes() == at::IntArrayRef({c, 1, 3, 3}), "[dynamic_dwconv] weight: expected (",
           c, ", 1, 3, 3), got ", weight.sizes());
  WF_CHECK(bias.sizes() == at::IntArrayRef({c}), "[dynamic_dwconv] bias: expected (", c, "), got ",
           bias.sizes());
  WF_CHECK(!kernel || kernel->sizes() == at::IntArrayRef({b, c, 3, 3}),
           "[dynamic_dwconv] kernel: expected (", b, ", ", c, ", 3, 3), got ", kernel->sizes());
}

}  // namespace

at::Tensor dynamic_dwconv(const at::Tensor& x, Grid grid, const std::optional<at::Tensor>& kernel,
                          const at::Tensor& weight, const at::Tensor& bias) {
  check_shapes(x, grid, kernel, weight, bias);
  const int64_t b = x.size(0), c = x.size(2);
  const auto image = x.unflatten(1, {grid.height, grid.width}).permute({0, 3, 1, 2});
  if (!kernel) {
    return at::conv2d(image, weight, bias, 1, 1, 1, c).flatten(2).transpose(1, 2);
  }
  // One group per sample and channel: the samples become channels of a single picture.
  const auto norm = at::linalg_vector_norm(*kernel, 2, {2, 3}, /*keepdim=*/true);
  const auto kernels = (*kernel / (norm + 1)).unsqueeze(2) + weight;  // [B, C, 1, 3, 3]
  const auto y = at::conv2d(image.reshape({1, b * c, grid.height, grid.width}),
                            kernels.reshape({b * c, 1, 3, 3}), bias.repeat({b}), 1, 1, 1, b * c);
  return y.reshape({b, c, grid.tokens()}).transpose(1, 2);
}

}  // namespace wf
