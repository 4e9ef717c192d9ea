#pragma once

#include "weightformer/ops/grid.h"

#include <ATen/core/Tensor.h>

namespace wf {

/// Adaptive average pooling of a token grid to 3 x 3: cell i averages rows
/// ⌊i*H/3⌋ … ⌈(i+1)*H/3⌉-1, and the same for columns; cells overlap when 3 does not divide H.
/// x: [B, H*W, C], H and W at least 1 → [B, 9, C], same dtype.
at::Tensor grid_pool3(const at::Tensor& x, Grid grid);

namespace reference {
/// The same in plain ATen.
at::Tensor grid_pool3(const at::Tensor& x, Grid grid);
}  // namespace reference

}  // namespace wf
