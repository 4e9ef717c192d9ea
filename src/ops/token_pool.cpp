#include "weightformer/ops/token_pool.h"

#include "ops/dispatch.h"
#include "ops/op_common.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor backward(const at::Tensor& grad, int64_t height, int64_t width) {
  static const auto op =
      find_op<at::Tensor(const at::Tensor&, int64_t, int64_t)>("wf::token_pool_backward");
  return op.call(grad, height, width);
}

at::Tensor backward_fallback(const at::Tensor& grad, int64_t height, int64_t width) {
  const int64_t rows = height / 2, columns = width / 2;
  check_tokens("token_pool_backward", grad, rows, columns);
  auto out = at::zeros({grad.size(0), height, width, grad.size(2)}, grad.options());
  out.slice(1, 0, 2 * rows)
      .slice(2, 0, 2 * columns)
      .unflatten(2, {columns, 2})
      .unflatten(1, {rows, 2})
      .copy_((grad * 0.25).unflatten(1, {rows, 1, columns, 1}));
  return out.flatten(1, 2);
}

at::Tensor forward_fallback(const at::Tensor& x, int64_t height, int64_t width) {
  return reference::token_pool(x, {height, width});
}

struct Autograd : torch::autograd::Function<Autograd> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            int64_t height, int64_t width) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    return token_pool(x, {height, width});
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    return {wf::backward(grads[0], context->saved_data["height"].toInt(),
                         context->saved_data["width"].toInt()),
            {},
            {}};
  }
};

}  // namespace

at::Tensor token_pool(const at::Tensor& x, Grid grid) {
  static const auto op = find_op<at::Tensor(const at::Tensor&, int64_t, int64_t)>("wf::token_pool");
  return op.call(x, grid.height, grid.width);
}

at::Tensor reference::token_pool(const at::Tensor& x, Grid grid) {
  check_tokens("token_pool", x, grid.height, grid.width);
  const int64_t rows = grid.height / 2, columns = grid.width / 2;
  return x.unflatten(1, {grid.height, grid.width})
      .slice(1, 0, 2 * rows)
      .slice(2, 0, 2 * columns)
      .unflatten(2, {columns, 2})
      .unflatten(1, {rows, 2})
      .mean({2, 4})
      .flatten(1, 2);
}

TORCH_LIBRARY_FRAGMENT(wf, m) {
  m.def("token_pool(Tensor x, int height, int width) -> Tensor");
  m.def("token_pool_backward(Tensor grad, int height, int width) -> Tensor");
}
TORCH_LIBRARY_IMPL(wf, CompositeExplicitAutograd, m) {
  m.impl("token_pool", &forward_fallback);
  m.impl("token_pool_backward", &backward_fallback);
}
TORCH_LIBRARY_IMPL(wf, Autograd, m) {
  m.impl("token_pool", [](const at::Tensor& x, int64_t height, int64_t width) {
    return Autograd::apply(x, height, width);
  });
}

}  // namespace wf
