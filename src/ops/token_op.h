// An operator that maps one grid of tokens to another, x: [B, height * width, C] → [B, M, C], with
// the numbers of rows and columns as its only other arguments: its schemas, its calls and its
// autograd. The file of such an operator gives the two formulas in plain ATen:
//
//   struct TokenPool {
//     static constexpr const char* kName = "token_pool";
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

using TokenOpSignature = at::Tensor(const at::Tensor&, int64_t, int64_t);

/// wf::<name> through the dispatcher, which chooses the kernel or the formula.
template <typename Op>
at::Tensor call_token_op(const at::Tensor& x, Grid grid) {
  static const auto op = find_op<TokenOpSignature>((std::string("wf::") + Op::kName).c_str());
  return op.call(x, grid.height, grid.width);
}

template <typename Op>
struct TokenOpAutograd : torch::autograd::Function<TokenOpAutograd<Op>> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            int64_t height, int64_t width) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    return call_token_op<Op>(x, {height, width});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    static const auto op =
        find_op<TokenOpSignature>((std::string("wf::") + Op::kName + "_backward").c_str());
    return {op.call(grads[0], context->saved_data["height"].toInt(),
                    context->saved_data["width"].toInt()),
            {},
            {}};
  }
};

/// Defines <name> and <name>_backward. The formulas serve every device that has no kernel, and
/// tensors without data (meta).
template <typename Op>
void register_token_op(torch::Library& m) {
  const std::string forward = Op::kName, backward = forward + "_backward";
  m.def((forward + "(Tensor x, int height, int width) -> Tensor").c_str());
  m.def((backward + "(Tensor grad, int height, int width) -> Tensor").c_str());
  const auto formula = [&](const std::string& name, auto function) {
    m.impl(name.c_str(),
           torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, std::move(function)));
  };
  formula(forward, [](const at::Tensor& x, int64_t height, int64_t width) {
    return Op::forward(x, {height, width});
  });
  formula(backward, [](const at::Tensor& grad, int64_t height, int64_t width) {
    return Op::backward(grad, {height, width});
  });
  m.impl(forward.c_str(), torch::dispatch(c10::DispatchKey::Autograd,
                                          [](const at::Tensor& x, int64_t height, int64_t width) {
                                            return TokenOpAutograd<Op>::apply(x, height, width);
                                          }));
}

}  // namespace wf
