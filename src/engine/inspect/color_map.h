// Numbers as colors.
#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// [H, W] of 0 … 1 → [3, H, W] uint8, R, G, B: black over violet and orange to light yellow
/// (inferno); values outside are cut off.
at::Tensor heat_colors(const at::Tensor& values);

/// [H, W] of -1 … 1 → [3, H, W] uint8: blue over white (0) to red; values outside are cut off.
at::Tensor signed_colors(const at::Tensor& values);

}  // namespace wf
