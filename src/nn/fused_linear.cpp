#include "weightformer/nn/fused_linear.h"

#include "nn/products.h"
#include "ops/gelu_grad.h"
#include "ops/gemm.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace wf {
namespace {

using at::Tensor;
using Unary = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, c10::string_view,
                     c10::List<std::optional<c10::Scalar>>, std::optional<c10::string_view>);
using Binary = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&,
                      c10::string_view);

// torch.compile's own operators; a LibTorch without oneDNN does not have them.
template <typename Signature>
std::optional<c10::TypedOperatorHandle<Signature>> find(const char* overload) {
  const auto op = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", overload});
  return op ? std::optional(op->typed<Signature>()) : std::nullopt;
}

// True where the fused call equals the separate ones: float32 without autocast.
bool fusable(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && c10::InferenceMode::is_enabled() &&
         x.numel() > 0 && at::globalContext().userEnabledMkldnn() &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

// Casts explicitly, so that autocast's weight cache never holds a weight without gradient.
struct GeluLinear : torch::autograd::Function<GeluLinear> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x,
                        const Tensor& weight, const Tensor& bias, Gelu kind) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    context->save_for_backward({x, weight});
    context->saved_data["bias_dtype"] = bias.scalar_type();
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    return linear_product(at::gelu(x, approximate(kind)), weight.to(x.scalar_type()),
                          bias.to(x.scalar_type()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto* how = approximate(static_cast<Gelu>(context->saved_data["kind"].toInt()));
    const auto dy = grads[0].to(x.scalar_type()).reshape({-1, weight.size(0)});
    auto grad_x = product(dy, weight.to(x.scalar_type())).view(x.sizes());
    Tensor hidden;
    if (at::GradMode::is_enabled()) {  // for second derivatives
      hidden = at::gelu(x, how);
      grad_x = at::gelu_backward(grad_x, x, how);
    } else {
      hidden = gelu_grad_(grad_x, x, how);
    }
    const auto grad_weight = product(dy.t(), hidden.reshape({-1, weight.size(1)}));
    return {grad_x,
            grad_weight.to(weight.scalar_type()),
            dy.sum(0).to(context->saved_data["bias_dtype"].toScalarType()),
            {}};
  }
};

}  // namespace

Tensor gelu_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Gelu kind) {
  return GeluLinear::apply(x, weight, bias, kind);
}

Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, Gelu kind) {
  static const auto fused = find<Unary>("");
  if (fused && fusable(x)) {
    return fused->call(x, weight, bias, "gelu", c10::List<std::optional<c10::Scalar>>(),
                       approximate(kind));
  }
  return at::gelu(product_linear(x, weight, bias), approximate(kind));
}

Tensor linear_add(const Tensor& residual, const Tensor& x, const Tensor& weight,
                  const Tensor& bias) {
  static const auto fused = find<Binary>("binary");
  if (fused && fusable(x)) return fused->call(x, residual, weight, bias, "add");
  return residual + product_linear(x, weight, bias);
}

}  // namespace wf
