#include "weightformer/ops/grid_pool3.h"

#include "ops/op_common.h"
#include "ops/token_op.h"

#include <ATen/ops/_adaptive_avg_pool2d_backward.h>
#include <ATen/ops/adaptive_avg_pool2d.h>

namespace wf {
namespace {

at::Tensor to_image(const at::Tensor& x, Grid grid) {
  return x.unflatten(1, {grid.height, grid.width}).permute({0, 3, 1, 2});
}
at::Tensor to_tokens(const at::Tensor& image) {
  return image.flatten(2).transpose(1, 2).contiguous();
}

struct GridPool3 {
  static constexpr const char* kName = "grid_pool3";

  static SymGrid result_grid(const SymGrid&) { return {3, 3}; }

  static at::Tensor forward(const at::Tensor& x, Grid grid) {
    return reference::grid_pool3(x, grid);
  }

  static at::Tensor backward(const at::Tensor& grad, Grid grid) {
    check_tokens("grid_pool3_backward", grad, 3, 3);
    const auto shape =
        at::empty({grad.size(0), grad.size(2), grid.height, grid.width}, grad.options());
    return to_tokens(at::_adaptive_avg_pool2d_backward(to_image(grad, {3, 3}).contiguous(), shape));
  }
};

}  // namespace

at::Tensor grid_pool3(const at::Tensor& x, Grid grid) { return call_token_op<GridPool3>(x, grid); }

at::Tensor reference::grid_pool3(const at::Tensor& x, Grid grid) {
  check_tokens("grid_pool3", x, grid.height, grid.width);
  return to_tokens(at::adaptive_avg_pool2d(to_image(x, grid), {3, 3}));
}

TORCH_LIBRARY_FRAGMENT(wf, m) { register_token_op<GridPool3>(m); }

}  // namespace wf
