#include "weightformer/ops/token_pool.h"

#include "ops/op_common.h"
#include "ops/token_op.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

namespace wf {
namespace {

struct TokenPool {
  static constexpr const char* kName = "token_pool";

  static SymGrid result_grid(const SymGrid& grid) { return {grid.height / 2, grid.width / 2}; }

  static at::Tensor forward(const at::Tensor& x, Grid grid) {
    return reference::token_pool(x, grid);
  }

  // Each of the four tokens of a cell gets a quarter; an odd last row or column gets zeros.
  static at::Tensor backward(const at::Tensor& grad, Grid grid) {
    const int64_t rows = grid.height / 2, columns = grid.width / 2;
    check_tokens("token_pool_backward", grad, rows, columns);
    auto out = at::zeros({grad.size(0), grid.height, grid.width, grad.size(2)}, grad.options());
    out.slice(1, 0, 2 * rows)
        .slice(2, 0, 2 * columns)
        .unflatten(2, {columns, 2})
        .unflatten(1, {rows, 2})
        .copy_((grad * 0.25).unflatten(1, {rows, 1, columns, 1}));
    return out.flatten(1, 2);
  }
};

}  // namespace

at::Tensor token_pool(const at::Tensor& x, Grid grid) { return call_token_op<TokenPool>(x, grid); }

at::Tensor reference::token_pool(const at::Tensor& x, Grid grid) {
  check_tokens("token_pool", x, grid.height, grid.width);
  const int64_t rows = grid.height / 2, columns = grid.width / 2;
  return x.unflatten(1, {grid.height, grid.width})
      .slice(1, 0, 2 * rows)
      .slice(2, 0, 2 * columns)
      .unflatten(2, {columns, 2})
      .unflatten(1, {rows, 2})
      .mean({2, 4})
      .flatten(1, 2);
}

TORCH_LIBRARY_FRAGMENT(wf, m) { register_token_op<TokenPool>(m); }

}  // namespace wf
