#include "weightformer/ops/column_gain.h"

#include "ops/column_gain_kernel.h"
#include "ops/dispatch.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace wf {
namespace {

using Pair = std::tuple<at::Tensor, at::Tensor>;

Pair backward_fallback(const at::Tensor& grad, const at::Tensor& gram, const at::Tensor& right,
                       const at::Tensor& norm, double scale) {
  return column_gain_backward_entry(
      grad, gram, right, norm,
      [&](const at::Tensor& g, const at::Tensor& q, const at::Tensor& product, const at::Tensor& nu,
          at::Tensor& grad_right, at::Tensor& weighted, const ColumnGainShape&) {
        const auto factor = (nu + 1).reciprocal().unsqueeze(1);
        const auto d_nu =
            -(q * g.to(nu.scalar_type())).sum({1}, /*keepdim=*/true) * factor * factor;
        const auto half = d_nu * (scale * scale / 2) / nu.unsqueeze(1);
        const auto a = at::where(nu.unsqueeze(1) == 0, at::zeros_like(half), half);
        grad_right.copy_(g * factor + product * a * 2);
        weighted.copy_(q * a);
      });
}

Pair forward_fallback(const at::Tensor& gram, const at::Tensor& right, double scale) {
  const auto [gained, norm] = reference::column_gain(gram, right, scale);
  return {gained.contiguous(), norm.contiguous()};
}

Pair meta(const at::Tensor& gram, const at::Tensor& right, double) {
  if (!has_symbols(gram, right)) {
    return column_gain_entry(gram, right, [](const auto&...) {});
  }
  return {meta_like(right), meta_of(gram, {right.sym_size(0), right.sym_size(2)})};
}
Pair backward_meta(const at::Tensor& grad, const at::Tensor& gram, const at::Tensor& right,
                   const at::Tensor& norm, double) {
  if (!has_symbols(gram, right)) {
    return column_gain_backward_entry(grad, gram, right, norm, [](const auto&...) {});
  }
  return {meta_like(gram), meta_like(right)};
}

struct Autograd : torch::autograd::Function<Autograd> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& gram, const at::Tensor& right,
                                                double scale) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [gained, norm] = column_gain(gram, right, scale);
    context->save_for_backward({gram, right, norm});
    context->saved_data["scale"] = scale;
    context->mark_non_differentiable({norm});
    return {gained, norm};
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    auto [grad_gram, grad_right] = column_gain_backward(grads[0], saved[0], saved[1], saved[2],
                                                        context->saved_data["scale"].toDouble());
    return {grad_gram, grad_right, {}};
  }
};

Pair autograd(const at::Tensor& gram, const at::Tensor& right, double scale) {
  const auto out = Autograd::apply(gram, right, scale);
  return {out[0], out[1]};
}

Pair backward_autograd(const at::Tensor& grad, const at::Tensor& gram, const at::Tensor& right,
                       const at::Tensor& norm, double scale) {
  return once_differentiable("column_gain", {grad, gram, right, norm},
                             [&] { return column_gain_backward(grad, gram, right, norm, scale); });
}

}  // namespace

Pair column_gain(const at::Tensor& gram, const at::Tensor& right, double scale) {
  static const auto op = find_op<decltype(column_gain)>("wf::column_gain");
  return op.call(gram, right, scale);
}

Pair column_gain_backward(const at::Tensor& grad, const at::Tensor& gram, const at::Tensor& right,
                          const at::Tensor& norm, double scale) {
  static const auto op = find_op<decltype(column_gain_backward)>("wf::column_gain_backward");
  return op.call(grad, gram, right, norm, scale);
}

Pair reference::column_gain(const at::Tensor& gram, const at::Tensor& right, double scale) {
  check_column_gain("column_gain", gram, right);
  const auto q = right.to(gram.scalar_type());
  const auto norm = (q * at::bmm(gram, q)).sum({1}).clamp_min(0).sqrt() * scale;
  return {(q / (norm + 1).unsqueeze(1)).to(right.scalar_type()), norm};
}

TORCH_LIBRARY_IMPL(wf, CompositeExplicitAutograd, m) {
  m.impl("column_gain", &forward_fallback);
  m.impl("column_gain_backward", &backward_fallback);
}
TORCH_LIBRARY_IMPL(wf, Meta, m) {
  m.impl("column_gain", &meta);
  m.impl("column_gain_backward", &backward_meta);
}
TORCH_LIBRARY_IMPL(wf, Autograd, m) {
  m.impl("column_gain", &autograd);
  m.impl("column_gain_backward", &backward_autograd);
}

}  // namespace wf
