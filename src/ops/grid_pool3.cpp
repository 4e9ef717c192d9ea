#include "weightformer/ops/grid_pool3.h"

#include "weightformer/core/check.h"

#include <ATen/ops/adaptive_avg_pool2d.h>

namespace wf {

at::Tensor grid_pool3(const at::Tensor& x, Grid grid) {
  WF_CHECK(x.dim() == 3 && x.size(1) == grid.tokens(), "[grid_pool3] x: expected (B, ", grid.height,
           "*", grid.width, ", C), got ", x.sizes());
  const auto image = x.unflatten(1, {grid.height, grid.width}).permute({0, 3, 1, 2});
  return at::adaptive_avg_pool2d(image, {3, 3}).flatten(2).transpose(1, 2);
}

}  // namespace wf
