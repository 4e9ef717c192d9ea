#pragma once

#include <ATen/core/Tensor.h>

namespace wf {

/// skip + row_scale * update in the dtype of skip, one pass in each direction. skip, update:
/// [B, N, C] of any two dtypes; row_scale: [B], has no gradient; undefined: 1.
at::Tensor add_residual(const at::Tensor& skip, const at::Tensor& update,
                        const at::Tensor& row_scale);

}  // namespace wf
