#include "weightformer/nn/dynamic_linear.h"

#include "weightformer/core/check.h"
#include "weightformer/ops/dynamic_linear.h"
#include "weightformer/ops/token_pool.h"

#include "nn/init.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/silu.h>

namespace wf {

DynamicLinearImpl::DynamicLinearImpl(DynamicLinearOptions options) : options(options) { reset(); }

void DynamicLinearImpl::reset() {
  const int64_t in = options.in(), out = options.out();
  WF_CHECK(in > 0 && out > 0 && in % 4 == 0 && out % 4 == 0,
           "DynamicLinear: widths must be positive multiples of 4, got ", in, " and ", out);
  w = register_parameter("w", at::empty({in, out}));
  b = register_parameter("b", at::empty({out}));
  w1 = register_parameter("w1", at::empty({in / 4, in}));
  w2 = register_parameter("w2", at::empty({out / 4, out}));
  wfm = register_module("wfm", torch::nn::Linear(in, in / 4 + out / 4));
  for (const auto& parameter : {w, b, w1, w2}) trunc_normal_(parameter, 0.02);
}

at::Tensor DynamicLinearImpl::forward(const at::Tensor& x, Grid grid) {
  const auto hidden =
      at::silu(at::linear(token_pool(x, grid), wfm->weight, wfm->bias));  // [B, R, C/4 + D/4]
  const auto parts = hidden.split_with_sizes({options.in() / 4, options.out() / 4}, -1);
  return dynamic_linear(x, at::matmul(parts[0], w1), at::matmul(parts[1], w2), w, b,
                        options.mode());
}

}  // namespace wf
