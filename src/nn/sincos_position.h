#pragma once

#include "weightformer/ops/grid.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

namespace wf {

/// Fixed positions of the tokens of a grid (Vaswani et al. 2017, in two dimensions as in MAE):
/// the first half of the channels encodes the column, the second the row; in each half, the first
/// half is the sine and the second the cosine of the position times 10000^(-i / (dim/4)), i = 0 …
/// dim/4-1. dim: a multiple of 4 → [H*W, dim] with `options`; computed in float64.
at::Tensor sincos_position(int64_t dim, Grid grid, const at::TensorOptions& options = at::kFloat);

}  // namespace wf
