// The kernel entry of an operator on a grid of tokens (ops/token_op.h) on any device: check,
// allocate, launch.
#pragma once

#include "weightformer/ops/grid.h"

#include "ops/op_common.h"
#include "ops/token_grid.h"

#include <ATen/Dispatch.h>

namespace wf {

/// y: [B, to.tokens(), C] of x: [B, from.tokens(), C]. Calls launch(const T* x, T* y, B, C) on
/// contiguous memory for the dtype T, unless there is nothing to compute.
template <typename Launch>
at::Tensor token_op_entry(const char* op, const at::Tensor& x, Grid from, Grid to, Launch launch) {
  check_tokens(op, x, from.height, from.width);
  const c10::DeviceGuard guard(x.device());
  const auto in = x.contiguous();
  auto y = at::empty({x.size(0), to.tokens(), x.size(2)}, in.options());
  if (y.numel() == 0) return y;
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "token_op", [&] {
    launch(in.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>(), x.size(0), x.size(2));
  });
  return y;
}

}  // namespace wf
