#include "weightformer/nn/fused_linear.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <c10/core/InferenceMode.h>

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

// Where the fused call computes what the separate ones do: float32 without autocast.
bool fusable(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && c10::InferenceMode::is_enabled() &&
         x.numel() > 0 && at::globalContext().userEnabledMkldnn() &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace

Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  static const auto fused = find<Unary>("");
  if (fused && fusable(x)) {
    return fused->call(x, weight, bias, "gelu", c10::List<std::optional<c10::Scalar>>(), "none");
  }
  return at::gelu(at::linear(x, weight, bias));
}

Tensor linear_add(const Tensor& residual, const Tensor& x, const Tensor& weight,
                  const Tensor& bias) {
  static const auto fused = find<Binary>("binary");
  if (fused && fusable(x)) return fused->call(x, residual, weight, bias, "add");
  return residual + at::linear(x, weight, bias);
}

}  // namespace wf
