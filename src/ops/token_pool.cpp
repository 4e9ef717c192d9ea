#include "weightformer/ops/token_pool.h"

#include "weightformer/core/check.h"

namespace wf {

at::Tensor token_pool(const at::Tensor& x, Grid grid) {
  WF_CHECK(x.dim() == 3 && x.size(1) == grid.tokens(), "[token_pool] x: expected (B, ", grid.height,
           "*", grid.width, ", C), got ", x.sizes());
  const int64_t rows = grid.height / 2, columns = grid.width / 2;
  return x.unflatten(1, {grid.height, grid.width})
      .slice(1, 0, 2 * rows)
      .slice(2, 0, 2 * columns)
      .unflatten(2, {columns, 2})
      .unflatten(1, {rows, 2})
      .mean({2, 4})
      .flatten(1, 2);
}

}  // namespace wf
