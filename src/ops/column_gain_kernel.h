// The kernel entries of column_gain on any device: the two products with the Gram matrix are GEMMs,
// the kernels compute the steps between them.
#pragma once

#include "ops/column_gain_params.h"
#include "ops/gemm.h"
#include "ops/op_common.h"

#include <ATen/ops/empty_like.h>

#include <tuple>

namespace wf {

inline ColumnGainShape check_column_gain(const char* op, const at::Tensor& gram,
                                         const at::Tensor& right) {
  WF_CHECK(right.dim() == 3 && right.is_floating_point(), "[", op,
           "] right: expected a floating (B, R, D), got ", right.sizes());
  check_device(op, "gram", gram, right);
  check_shape(op, "gram", gram, {right.size(0), right.size(1), right.size(1)});
  WF_CHECK(gram.scalar_type() == accumulate_type(right.scalar_type()), "[", op,
           "] gram: expected the dtype ", accumulate_type(right.scalar_type()), ", got ",
           gram.scalar_type());
  return {right.size(0), right.size(1), right.size(2)};
}

/// launch(right, product, gained, norm, shape)
template <typename Launch>
std::tuple<at::Tensor, at::Tensor> column_gain_entry(const at::Tensor& gram,
                                                     const at::Tensor& right, Launch launch) {
  const auto shape = check_column_gain("column_gain", gram, right);
  const c10::DeviceGuard guard(right.device());
  const NoAutocast no_autocast;
  const auto q = right.contiguous();
  auto gained = at::empty_like(q);
  auto norm = at::empty({shape.batch, shape.columns}, gram.options());
  if (norm.numel() > 0)
    launch(q, batch_product(gram, q.to(gram.scalar_type())), gained, norm, shape);
  return {gained, norm};
}

/// launch(grad, right, product, norm, grad_right, weighted, shape): `weighted` gets
/// right * scale² * a with a = dν / (2ν), so that weighted · rightᵀ is the gradient of gram.
template <typename Launch>
std::tuple<at::Tensor, at::Tensor> column_gain_backward_entry(const at::Tensor& grad,
                                                              const at::Tensor& gram,
                                                              const at::Tensor& right,
                                                              const at::Tensor& norm,
                                                              Launch launch) {
  const auto shape = check_column_gain("column_gain_backward", gram, right);
  check_shape("column_gain_backward", "grad", grad, right.sizes());
  check_device("column_gain_backward", "grad", grad, right);
  check_device("column_gain_backward", "norm", norm, right);
  check_shape("column_gain_backward", "norm", norm, {shape.batch, shape.columns});
  const c10::DeviceGuard guard(right.device());
  const NoAutocast no_autocast;
  const auto q = right.contiguous(), wide = q.to(gram.scalar_type());
  auto grad_right = at::empty_like(q), weighted = at::empty_like(wide);
  if (q.numel() > 0) {
    launch(grad.to(q.scalar_type()).contiguous(), q, batch_product(gram, wide), norm.contiguous(),
           grad_right, weighted, shape);
  }
  return {batch_product(weighted, wide.transpose(1, 2)), grad_right};
}

}  // namespace wf
