// Calls of the operators that are registered as torch.ops.wf.*
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

namespace wf {

/// A typed handle on the operator `name`; keep it in a function-local static.
template <typename Signature>
c10::TypedOperatorHandle<Signature> find_op(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

/// Results without numbers, for meta kernels: sizes may be symbols there.
inline at::Tensor meta_like(const at::Tensor& t) {
  return at::empty_like(t, t.options().memory_format(at::MemoryFormat::Contiguous));
}
inline at::Tensor meta_of(const at::Tensor& like, c10::SymIntArrayRef shape) {
  return at::empty_symint(shape, like.options());
}

}  // namespace wf
