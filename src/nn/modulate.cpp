#include "weightformer/nn/modulate.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>

namespace wf {
namespace {

using at::Tensor;

constexpr double kEpsilon = 1e-6;

struct ModulatedNorm : torch::autograd::Function<ModulatedNorm> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x,
                        const Tensor& shift, const Tensor& scale) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    auto [y, mean, rstd] = at::native_layer_norm(x, {x.size(2)}, {}, {}, kEpsilon);
    context->save_for_backward({x, scale, mean, rstd});
    context->saved_data["shift_dtype"] = shift.scalar_type();
    const auto per_sample = [&](const Tensor& t) { return t.to(x.scalar_type()).unsqueeze(1); };
    return at::addcmul_out(y, per_sample(shift), y, per_sample(scale) + 1);
  }

  // With x̂ the normalized x:  dshift = Σ_n dy,  dscale = Σ_n dy x̂,  dx̂ = dy (1 + scale).
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &scale = saved[1], &mean = saved[2], &rstd = saved[3];
    const auto dy = grads[0].to(x.scalar_type());
    const auto grad_normed = dy * (scale.to(x.scalar_type()).unsqueeze(1) + 1);
    const auto grad_x = std::get<0>(at::native_layer_norm_backward(
        grad_normed, x, {x.size(2)}, mean, rstd, {}, {}, {true, false, false}));
    const auto grad_scale = (x - mean).mul_(rstd).mul_(dy).sum(1);
    return {grad_x, dy.sum(1).to(context->saved_data["shift_dtype"].toScalarType()),
            grad_scale.to(scale.scalar_type())};
  }
};

}  // namespace

Tensor modulate(const Tensor& x, const Tensor& shift, const Tensor& scale) {
  return at::addcmul(shift.unsqueeze(1), x, scale.unsqueeze(1) + 1);
}

Tensor layer_norm_no_affine(const Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, {}, {}, kEpsilon);
}

Tensor modulated_norm(const Tensor& x, const Tensor& shift, const Tensor& scale) {
  return ModulatedNorm::apply(x, shift, scale);
}

AdaLNImpl::AdaLNImpl(AdaLNOptions options) : options(options) { reset(); }

void AdaLNImpl::reset() {
  linear = register_module("1", torch::nn::Linear(options.dim(), options.parts() * options.dim()));
  const at::NoGradGuard no_grad;
  linear->weight.zero_();
  linear->bias.zero_();
}

std::vector<Tensor> AdaLNImpl::forward(const Tensor& condition) {
  return linear->forward(condition).chunk(options.parts(), 1);
}

}  // namespace wf
