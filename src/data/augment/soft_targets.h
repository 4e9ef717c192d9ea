#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// Label smoothing (Szegedy et al. 2016): labels, [B] int64 → [B, classes] float32 on the same
/// device, with smoothing / classes everywhere and 1 - smoothing more at the label.
at::Tensor smoothed_one_hot(const at::Tensor& labels, int64_t classes, double smoothing);

}  // namespace wf
