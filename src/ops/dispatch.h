// Shared by the registrations of the operators torch.ops.wf.*: calls, results without data, and
// once-differentiable backward operators.
#pragma once

#include "weightformer/core/check.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <functional>
#include <tuple>
#include <utility>

namespace wf {

/// A typed handle on the operator `name`; keep it in a function-local static.
template <typename Signature>
c10::TypedOperatorHandle<Signature> find_op(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

/// Results without numbers, for meta kernels: sizes may be symbols there. Their strides must be
/// those of the kernels' results: compiled code relies on them.
inline at::Tensor meta_like(const at::Tensor& t) {
  return at::empty_like(t, t.options().memory_format(at::MemoryFormat::Contiguous));
}
inline at::Tensor meta_of(const at::Tensor& like, c10::SymIntArrayRef shape) {
  return at::empty_symint(shape, like.options());
}

/// Whether any of these tensors has symbols as sizes. Without them, meta kernels run the host code
/// of the kernels' entries, so that a profiler sees on tensors without data what a GPU would do.
template <typename... Tensors>
bool has_symbols(const Tensors&... tensors) {
  return (tensors.unsafeGetTensorImpl()->has_symbolic_sizes_strides() || ...);
}

/// A Grid (weightformer/ops/grid.h) whose sizes may be symbols.
struct SymGrid {
  c10::SymInt height, width;
  c10::SymInt tokens() const { return height * width; }
};

/// check_tokens (ops/op_common.h) for meta kernels.
inline void check_sym_tokens(const char* op, const at::Tensor& x, const SymGrid& grid) {
  const auto holds = [](const c10::SymBool& b) { return b.expect_true(__FILE__, __LINE__); };
  WF_CHECK(x.dim() == 3 && holds(grid.height.sym_ge(0)) && holds(grid.width.sym_ge(0)) &&
               holds(x.sym_size(1).sym_eq(grid.tokens())),
           "[", op, "] x: expected (B, ", grid.height, "*", grid.width, ", C), got ",
           x.sym_sizes());
  WF_CHECK(x.is_floating_point(), "[", op, "] x: expected a floating dtype, got ", x.dtype());
}

/// Without this the gradients would be constants to autograd: second derivatives silently wrong.
struct OnceDifferentiable : torch::autograd::Function<OnceDifferentiable> {
  using List = torch::autograd::variable_list;

  static List forward(torch::autograd::AutogradContext* context, at::TensorList /*inputs*/,
                      const char* op, const std::function<List()>& run) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["op"] = std::string(op);
    return run();
  }
  static List backward(torch::autograd::AutogradContext* context, const List&) {
    const auto& op = context->saved_data["op"].toStringRef();
    throw Error(str("[", op, "] is once differentiable: for second derivatives use its formula in ",
                    "plain ATen (wf::reference::", op, ") or in plain PyTorch"));
  }
};

/// The autograd kernel of the backward operator of `op`: the tensors of run(), a tuple, which can
/// be differentiated with respect to none of `inputs`.
template <typename Run>
auto once_differentiable(const char* op, at::TensorList inputs, Run run) {
  const auto list = OnceDifferentiable::apply(inputs, op, [&] {
    return std::apply([](const auto&... t) { return OnceDifferentiable::List{t...}; }, run());
  });
  decltype(run()) result;
  size_t i = 0;
  std::apply([&](auto&... t) { ((t = list[i++]), ...); }, result);
  return result;
}

}  // namespace wf
