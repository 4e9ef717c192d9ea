#include "ops/gemm.h"

#include "weightformer/core/check.h"

#include "ops/dispatch.h"
#include "ops/op_common.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <torch/library.h>

#include <cstdlib>

namespace at::native {
// y = beta y + alpha a b by oneDNN; exported by LibTorch, whose own operators call it for bfloat16,
// but in none of its headers.
TORCH_API void mkldnn_matmul(const Tensor& a, const Tensor& b, const Tensor& y, float beta,
                             float alpha);
}  // namespace at::native

namespace wf {
namespace {

using at::Tensor;
using Pointwise = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&,
                         c10::string_view, c10::List<std::optional<c10::Scalar>>,
                         std::optional<c10::string_view>);

// torch.compile's own operator; a LibTorch without oneDNN does not have it.
const std::optional<c10::TypedOperatorHandle<Pointwise>>& pointwise() {
  static const auto op = [] {
    const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    return found ? std::optional(found->typed<Pointwise>()) : std::nullopt;
  }();
  return op;
}

bool amd_with_avx512() {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") && __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

// Whether autograd records what is called here: oneDNN's functions have no derivatives.
bool recorded() {
  return at::GradMode::is_enabled() &&
         !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradCPU);
}

bool by_onednn(const Tensor& a, const Tensor& b) {
  const auto fits = [](const Tensor& t) {
    return t.is_cpu() && t.scalar_type() == at::kFloat && t.numel() > 0;
  };
  return onednn_multiplies() && fits(a) && fits(b) && !recorded();
}

Tensor onednn_linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  const auto given = bias && bias->defined() ? bias : std::nullopt;
  return pointwise()->call(x, weight, given, "none", c10::List<std::optional<c10::Scalar>>(),
                           std::nullopt);
}

// An operator, so that profilers and the counting of multiplications see it. beta: 0 or 1.
Tensor gemm_(const Tensor& y, const Tensor& a, const Tensor& b, double beta, double alpha) {
  at::native::mkldnn_matmul(a, b, y, static_cast<float>(beta), static_cast<float>(alpha));
  return y;
}

const Tensor& call_gemm(const Tensor& y, const Tensor& a, const Tensor& b, double beta,
                        double alpha) {
  static const auto op = find_op<decltype(gemm_)>("wf_internal::gemm_");
  op.call(y, a, b, beta, alpha);
  return y;
}

Tensor rows(const Tensor& x) { return x.reshape({-1, x.size(-1)}); }

struct Linear : torch::autograd::Function<Linear> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x,
                        const Tensor& weight, const std::optional<Tensor>& bias) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias && bias->defined();
    return onednn_linear(x, weight, bias);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const NoAutocast no_autocast;
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto dy = rows(grads[0]);
    Tensor grad_x, grad_weight, grad_bias;
    if (context->needs_input_grad(0)) grad_x = product(dy, weight).view(x.sizes());
    if (context->needs_input_grad(1)) grad_weight = product(dy.t(), rows(x));
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) {
      grad_bias = dy.sum(0);
    }
    return {grad_x, grad_weight, grad_bias};
  }
};

}  // namespace

bool onednn_multiplies() {
  static const bool best = amd_with_avx512();
  // Read in each call, which costs nothing beside a product: tests compare both.
  const auto* word = std::getenv("WF_CPU_PRODUCTS");
  const c10::string_view name = word ? word : "auto";
  WF_CHECK(name == "auto" || name == "mkl" || name == "onednn",
           "WF_CPU_PRODUCTS: expected auto, mkl or onednn, got ", name);
  return (name == "auto" ? best : name == "onednn") && pointwise() &&
         at::globalContext().userEnabledMkldnn();
}

Tensor product(const Tensor& a, const Tensor& b) {
  if (!by_onednn(a, b)) return at::mm(a, b);
  return add_product_(at::empty({a.size(0), b.size(1)}, a.options()), a, b, 0, 1);
}

Tensor batch_product(const Tensor& a, const Tensor& b) {
  if (!by_onednn(a, b)) return at::bmm(a, b);
  return add_product_(at::empty({a.size(0), a.size(1), b.size(2)}, a.options()), a, b, 0, 1);
}

const Tensor& add_product_(const Tensor& y, const Tensor& a, const Tensor& b, double beta,
                           double alpha) {
  if (by_onednn(a, b)) return call_gemm(y, a, b, beta, alpha);
  return y.dim() == 2 ? y.addmm_(a, b, beta, alpha) : y.baddbmm_(a, b, beta, alpha);
}

Tensor add_batch_product(const Tensor& c, const Tensor& a, const Tensor& b, double alpha) {
  if (!by_onednn(a, b)) return at::baddbmm(c, a, b, /*beta=*/1, alpha);
  const auto y = at::empty({a.size(0), a.size(1), b.size(2)}, a.options());
  y.copy_(c);
  return call_gemm(y, a, b, 1, alpha);
}

Tensor linear_product(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  const auto fits = [](const Tensor& t) { return t.is_cpu() && t.scalar_type() == at::kFloat; };
  if (!fits(x) || !fits(weight) || x.numel() == 0 || weight.numel() == 0 ||
      at::autocast::is_autocast_enabled(at::kCPU) || !onednn_multiplies()) {
    return at::linear(x, weight, bias);
  }
  if (recorded()) return Linear::apply(x, weight, bias);
  const at::AutoDispatchBelowADInplaceOrView below;
  return onednn_linear(x, weight, bias);
}

TORCH_LIBRARY_FRAGMENT(wf_internal, m) {
  m.def("gemm_(Tensor(a!) y, Tensor a, Tensor b, float beta, float alpha) -> Tensor(a!)");
}
TORCH_LIBRARY_IMPL(wf_internal, CPU, m) { m.impl("gemm_", &gemm_); }

}  // namespace wf
