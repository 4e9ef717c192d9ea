#pragma once

#include "weightformer/ops/grid.h"

#include <ATen/core/Tensor.h>

namespace wf {

/// Mean over 2 x 2 neighbors of a token grid; an odd last row or column is dropped.
/// x: [B, H*W, C] → [B, ⌊H/2⌋*⌊W/2⌋, C], same dtype.
at::Tensor token_pool(const at::Tensor& x, Grid grid);

namespace reference {
/// The same in plain ATen.
at::Tensor token_pool(const at::Tensor& x, Grid grid);
}  // namespace reference

}  // namespace wf
