#include "weightformer/ops/grid_pool3.h"

#include "ops/dispatch.h"
#include "ops/op_common.h"

#include <ATen/ops/_adaptive_avg_pool2d_backward.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor to_image(const at::Tensor& x, int64_t height, int64_t width) {
  return x.unflatten(1, {height, width}).permute({0, 3, 1, 2});
}
at::Tensor to_tokens(const at::Tensor& image) {
  return image.flatten(2).transpose(1, 2).contiguous();
}

at::Tensor backward(const at::Tensor& grad, int64_t height, int64_t width) {
  static const auto op =
      find_op<at::Tensor(const at::Tensor&, int64_t, int64_t)>("wf::grid_pool3_backward");
  return op.call(grad, height, width);
}

at::Tensor backward_fallback(const at::Tensor& grad, int64_t height, int64_t width) {
  check_tokens("grid_pool3_backward", grad, 3, 3);
  const auto shape = at::empty({grad.size(0), grad.size(2), height, width}, grad.options());
  return to_tokens(at::_adaptive_avg_pool2d_backward(to_image(grad, 3, 3).contiguous(), shape));
}

at::Tensor forward_fallback(const at::Tensor& x, int64_t height, int64_t width) {
  return reference::grid_pool3(x, {height, width});
}

struct Autograd : torch::autograd::Function<Autograd> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            int64_t height, int64_t width) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    return grid_pool3(x, {height, width});
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

at::Tensor grid_pool3(const at::Tensor& x, Grid grid) {
  static const auto op = find_op<at::Tensor(const at::Tensor&, int64_t, int64_t)>("wf::grid_pool3");
  return op.call(x, grid.height, grid.width);
}

at::Tensor reference::grid_pool3(const at::Tensor& x, Grid grid) {
  check_tokens("grid_pool3", x, grid.height, grid.width);
  return to_tokens(at::adaptive_avg_pool2d(to_image(x, grid.height, grid.width), {3, 3}));
}

TORCH_LIBRARY_FRAGMENT(wf, m) {
  m.def("grid_pool3(Tensor x, int height, int width) -> Tensor");
  m.def("grid_pool3_backward(Tensor grad, int height, int width) -> Tensor");
}
TORCH_LIBRARY_IMPL(wf, CompositeExplicitAutograd, m) {
  m.impl("grid_pool3", &forward_fallback);
  m.impl("grid_pool3_backward", &backward_fallback);
}
TORCH_LIBRARY_IMPL(wf, Autograd, m) {
  m.impl("grid_pool3", [](const at::Tensor& x, int64_t height, int64_t width) {
    return Autograd::apply(x, height, width);
  });
}

}  // namespace wf
