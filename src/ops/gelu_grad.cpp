#include "ops/gelu_grad.h"

#include "ops/dispatch.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor fallback(const at::Tensor& grad, const at::Tensor& x, c10::string_view approximate) {
  return gelu_grad_entry(grad, x, approximate,
                         [&](const at::Tensor& g, const at::Tensor& in, const at::Tensor& y, bool) {
                           y.copy_(at::gelu(in, approximate));
                           g.copy_(at::gelu_backward(g, in, approximate));
                         });
}

at::Tensor meta(const at::Tensor& grad, const at::Tensor& x, c10::string_view approximate) {
  return gelu_grad_entry(grad, x, approximate, [](const auto&...) {});
}

}  // namespace

at::Tensor gelu_grad_(const at::Tensor& grad, const at::Tensor& x, c10::string_view approximate) {
  static const auto op = find_op<decltype(fallback)>("wf_internal::gelu_grad_");
  const at::AutoDispatchBelowADInplaceOrView below;
  return op.call(grad, x, approximate);
}

TORCH_LIBRARY_FRAGMENT(wf_internal, m) {
  m.def("gelu_grad_(Tensor(a!) grad, Tensor x, str approximate) -> Tensor");
}
TORCH_LIBRARY_IMPL(wf_internal, CompositeExplicitAutograd, m) { m.impl("gelu_grad_", &fallback); }
TORCH_LIBRARY_IMPL(wf_internal, Meta, m) { m.impl("gelu_grad_", &meta); }

}  // namespace wf
