#include "weightformer/nn/dynamic_linear.h"

#include "weightformer/core/check.h"
#include "weightformer/ops/dynamic_linear.h"
#include "weightformer/ops/token_pool.h"

#include "nn/init.h"
#include "nn/products.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>

namespace wf {
namespace {

// [B, R, ·] with zero rows up to a multiple of eight, so that the GEMMs of a GPU read 16 bytes at a
// time. Zero rows of left and right change neither the predicted weight nor its norms.
at::Tensor with_aligned_rows(const at::Tensor& t) {
  const int64_t missing = (8 - t.size(1) % 8) % 8;
  return missing == 0 ? t : at::constant_pad_nd(t, {0, 0, 0, missing});
}

}  // namespace

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
  auto hidden =
      at::silu(product_linear(token_pool(x, grid), wfm->weight, wfm->bias));  // [B, R, C/4 + D/4]
  if (!x.is_cpu()) hidden = with_aligned_rows(hidden);
  const auto parts = hidden.split_with_sizes({options.in() / 4, options.out() / 4}, -1);
  return dynamic_linear(operand(x), product_matmul(parts[0], w1), product_matmul(parts[1], w2),
                        operand(w), operand(b), options.mode());
}

}  // namespace wf
