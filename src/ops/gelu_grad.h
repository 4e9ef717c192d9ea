// The derivative of GELU and GELU itself in one pass, for layers that keep only their input.
#pragma once

#include "ops/op_common.h"

#include <ATen/core/Tensor.h>

namespace wf {

/// grad ← grad ⊙ gelu'(x); returns gelu(x). Both as at::gelu_backward and at::gelu compute them,
/// but x is read once. grad: of the shape and dtype of x, contiguous. approximate: "none" or
/// "tanh", as in ATen. Not recorded by autograd. Throws wf::Error.
at::Tensor gelu_grad_(const at::Tensor& grad, const at::Tensor& x, c10::string_view approximate);

/// The kernel entries on any device: launch(grad, x, y, tanh), with x and y contiguous.
template <typename Launch>
at::Tensor gelu_grad_entry(const at::Tensor& grad, const at::Tensor& given,
                           c10::string_view approximate, Launch launch) {
  WF_CHECK(approximate == "none" || approximate == "tanh",
           "[gelu_grad_] approximate: expected none or tanh, got ", approximate);
  check_shape("gelu_grad_", "grad", grad, given.sizes());
  check_device("gelu_grad_", "grad", grad, given);
  WF_CHECK(grad.is_contiguous() && grad.scalar_type() == given.scalar_type(),
           "[gelu_grad_] grad: expected a contiguous tensor of ", given.dtype(), ", got ",
           grad.dtype());
  const c10::DeviceGuard guard(given.device());
  const auto x = given.contiguous();
  const auto y = at::empty_like(x);
  if (x.numel() > 0 && !x.is_meta()) launch(grad, x, y, approximate == "tanh");
  return y;
}

}  // namespace wf
