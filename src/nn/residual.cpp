#include "nn/residual.h"

#include "ops/op_common.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <torch/csrc/autograd/custom_function.h>

namespace wf {
namespace {

// PyTorch's own derivative of a sum of two dtypes converts in a pass of its own.
struct ScaledSum : torch::autograd::Function<ScaledSum> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& skip,
                            const at::Tensor& update, const at::Tensor& row_scale) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const NoAutocast no_autocast;
    const auto rows = row_scale.view({-1, 1, 1});
    context->save_for_backward({rows});
    context->saved_data["dtype"] = update.scalar_type();
    auto sum = at::empty_like(skip);
    return at::addcmul_out(sum, skip, rows, update);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const NoAutocast no_autocast;
    const auto rows = context->get_saved_variables()[0];
    const auto type = context->saved_data["dtype"].toScalarType();
    auto grad_update = at::empty_like(grads[0], grads[0].options().dtype(type));
    at::mul_out(grad_update, grads[0], rows);
    return {grads[0], grad_update, {}};
  }
};

}  // namespace

at::Tensor add_residual(const at::Tensor& skip, const at::Tensor& update,
                        const at::Tensor& row_scale) {
  return row_scale.defined() ? ScaledSum::apply(skip, update, row_scale) : skip + update;
}

}  // namespace wf
