// An operator that maps one grid of tokens to another, x: [B, height * width, C] → [B, M, C], with
// the numbers of rows and columns as its only other arguments: its calls, its autograd and its
// results without data. It must be linear, so that the derivative of its backward operator is the
// operator itself. Its schemas are in ops/schemas.h; its file gives the grid of the result and the
// two formulas in plain ATen:
//
//   struct TokenPool {
//     static constexpr const char* kName = "token_pool";
//     static SymGrid result_grid(const SymGrid& grid);
//     static at::Tensor forward(const at::Tensor& x, Grid grid);
//     static at::Tensor backward(const at::Tensor& grad, Grid grid);  // grid: that of x
//   };
//   TORCH_LIBRARY_FRAGMENT(wf, m) { register_token_op<TokenPool>(m); }
#pragma once

#include "weightformer/ops/grid.h"

#include "ops/dispatch.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <string>

namespace wf {

template <typename Op, bool kForward>
std::string token_op_name() {
  return std::string(Op::kName) + (kForward ? "" : "_backward");
}

/// wf::<name> or its backward operator through the dispatcher, which chooses the kernel, the
/// formula or the result without data. The grid is that of x in both directions.
template <typename Op, bool kForward>
at::Tensor call_token_op(const at::Tensor& t, const SymGrid& grid) {
  static const auto op = find_op<at::Tensor(const at::Tensor&, c10::SymInt, c10::SymInt)>(
      ("wf::" + token_op_name<Op, kForward>()).c_str());
  return op.call(t, grid.height, grid.width);
}

template <typename Op>
at::Tensor call_token_op(const at::Tensor& x, Grid grid) {
  return call_token_op<Op, true>(x, {grid.height, grid.width});
}

template <typename Op, bool kForward>
at::Tensor token_op_meta(const at::Tensor& t, const SymGrid& grid) {
  const auto result = Op::result_grid(grid);
  check_sym_tokens(token_op_name<Op, kForward>().c_str(), t, kForward ? grid : result);
  return meta_of(t, {t.sym_size(0), (kForward ? result : grid).tokens(), t.sym_size(2)});
}

/// Each of the two operators is the derivative of the other.
template <typename Op, bool kForward>
struct TokenOpAutograd : torch::autograd::Function<TokenOpAutograd<Op, kForward>> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& t,
                            const SymGrid& grid) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["height"] = grid.height;
    context->saved_data["width"] = grid.width;
    return call_token_op<Op, kForward>(t, grid);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto size = [&](const char* name) { return context->saved_data[name].toSymInt(); };
    return {call_token_op<Op, !kForward>(grads[0], {size("height"), size("width")}), {}};
  }
};

/// The functions of one of the two operators. The formula serves every device that has no kernel.
template <typename Op, bool kForward>
void register_token_op_direction(torch::Library& m) {
  const auto name = token_op_name<Op, kForward>();
  const auto add = [&](c10::DispatchKey key, auto function) {
    m.impl(name.c_str(), torch::dispatch(key, std::move(function)));
  };
  add(c10::DispatchKey::CompositeExplicitAutograd,
      [](const at::Tensor& t, int64_t height, int64_t width) {
        const Grid grid{height, width};
        return (kForward ? Op::forward(t, grid) : Op::backward(t, grid)).contiguous();
      });
  add(c10::DispatchKey::Meta, [](const at::Tensor& t, c10::SymInt height, c10::SymInt width) {
    return token_op_meta<Op, kForward>(t, {height, width});
  });
  add(c10::DispatchKey::Autograd, [](const at::Tensor& t, c10::SymInt height, c10::SymInt width) {
    return TokenOpAutograd<Op, kForward>::apply(t, SymGrid{height, width});
  });
}

/// Registers <name> and <name>_backward.
template <typename Op>
void register_token_op(torch::Library& m) {
  register_token_op_direction<Op, true>(m);
  register_token_op_direction<Op, false>(m);
}

}  // namespace wf
