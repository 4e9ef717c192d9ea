#include "nn/sincos_position.h"

#include "weightformer/core/check.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <cmath>

namespace wf {

at::Tensor sincos_position(int64_t dim, Grid grid, const at::TensorOptions& options) {
  WF_CHECK(dim > 0 && dim % 4 == 0, "sincos_position: dim must be a positive multiple of 4, got ",
           dim);
  const auto wide = options.dtype(at::kDouble);
  const double quarter = static_cast<double>(dim / 4);
  const auto rates = (at::arange(dim / 4, wide) * (-std::log(10000.0) / quarter)).exp();
  const auto encode = [&](int64_t count) {  // [count, dim/2]
    const auto angles = at::arange(count, wide).unsqueeze(1) * rates;
    return at::cat({angles.sin(), angles.cos()}, 1);
  };
  const auto columns = encode(grid.width).unsqueeze(0).expand({grid.height, -1, -1});
  const auto rows = encode(grid.height).unsqueeze(1).expand({-1, grid.width, -1});
  return at::cat({columns, rows}, 2).flatten(0, 1).to(options);
}

}  // namespace wf
