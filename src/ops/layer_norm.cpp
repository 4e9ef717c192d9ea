#include "weightformer/ops/layer_norm.h"

#include "ops/dispatch.h"
#include "ops/layer_norm_kernel.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace wf {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The operators as the dispatcher calls them.
NormResult call(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                const OptionalTensor& scale, const OptionalTensor& shift,
                const OptionalTensor& update, const OptionalTensor& gate, double eps,
                std::optional<at::ScalarType> dtype, bool keep_sum,
                const OptionalTensor& row_scale) {
  static const auto op = find_op<decltype(call)>("wf::layer_norm");
  return op.call(x, weight, bias, scale, shift, update, gate, eps, dtype, keep_sum, row_scale);
}
NormResult call(const Tensor& x, const NormOptions& o, bool keep_sum) {
  return call(x, o.weight, o.bias, o.scale, o.shift, o.update, o.gate, o.eps, o.dtype, keep_sum,
              o.row_scale);
}
NormGrads call_backward(const Tensor& grad, const OptionalTensor& grad_sum, const Tensor& x,
                        const Tensor& moments, const OptionalTensor& weight,
                        const OptionalTensor& scale, const OptionalTensor& update,
                        const OptionalTensor& gate, bool normalized,
                        const OptionalTensor& row_scale,
                        std::optional<at::ScalarType> update_type) {
  static const auto op = find_op<decltype(call_backward)>("wf::layer_norm_backward");
  return op.call(grad, grad_sum, x, moments, weight, scale, update, gate, normalized, row_scale,
                 update_type);
}

Tensor sum_of(const Tensor& x, const OptionalTensor& update, const OptionalTensor& gate,
              const OptionalTensor& row_scale) {
  if (!update) return x;
  auto change = gate ? gate->unsqueeze(1) * *update : *update;
  if (row_scale) change = row_scale->view({-1, 1, 1}) * change;
  return x + change;
}

}  // namespace

NormResult layer_norm_fallback(const NormArgs& args) {
  check_layer_norm("layer_norm", args);
  const auto type = accumulate_type(args.x.scalar_type());
  const auto wide = [&](const OptionalTensor& t) { return t ? OptionalTensor(t->to(type)) : t; };
  const auto sum = sum_of(args.x.to(type), wide(args.update), wide(args.gate), wide(args.row_scale))
                       .contiguous();
  auto [y, mean, rstd] =
      at::native_layer_norm(sum, {sum.size(2)}, wide(args.weight), wide(args.bias), args.eps);
  if (args.scale) y = y * (wide(args.scale)->unsqueeze(1) + 1) + wide(args.shift)->unsqueeze(1);
  return {y.to(args.type()),
          args.returns_sum() ? sum.to(args.x.scalar_type()) : at::empty({0}, args.x.options()),
          at::cat({mean, rstd}, 2)};
}

// With n the normalized tokens: dn = dy * factor, ds = rstd (dn - mean(dn) - n mean(dn n)) + dsum.
NormGrads layer_norm_backward_fallback(const NormBackwardArgs& args) {
  check_layer_norm_backward("layer_norm_backward", args);
  const auto type = accumulate_type(args.x.scalar_type());
  const NormVectors vectors(args.x, args.weight, args.scale, std::nullopt, args.gate,
                            args.row_scale);
  const auto dy = args.grad.to(type), moments = args.moments.to(type);
  auto n = args.x.to(type);
  const auto rstd = moments.narrow(2, 1, 1);
  if (!args.normalized) n = (n - moments.narrow(2, 0, 1)) * rstd;
  auto dn = dy;
  if (vectors.factor.defined()) {
    dn = dy * (args.scale ? vectors.factor.unsqueeze(1) : vectors.factor);
  }
  auto dx = (dn - dn.mean(2, /*keepdim=*/true) - n * (dn * n).mean(2, /*keepdim=*/true)) * rstd;
  if (args.grad_sum) dx = dx + args.grad_sum->to(type);
  const auto none = [&] { return at::empty({0}, args.x.options().dtype(type)); };
  const auto sums = [&](const Tensor& t) {
    if (!vectors.factor.defined()) return none();
    return args.scale ? t.sum(1) : t.sum(at::IntArrayRef{0, 1});
  };
  auto grad_update = none(), grad_gate = none();
  if (args.has_update()) {
    const auto change = vectors.gate.defined() ? dx * vectors.gate.unsqueeze(1) : dx;
    grad_update = change.to(args.update_type_or_default()).contiguous();
  }
  if (args.gate) {
    grad_gate = (dx * args.update->to(type)).sum(1);
    if (args.row_scale) grad_gate = grad_gate * vectors.row_scale;
  }
  return {dx.to(args.x.scalar_type()).contiguous(), grad_update, grad_gate, sums(dy * n), sums(dy)};
}

namespace {

Tensor empty_of(const Tensor& like, c10::SymIntArrayRef shape, at::ScalarType type) {
  return at::empty_symint(shape, like.options().dtype(type));
}

NormResult meta(const NormArgs& args) {
  WF_CHECK(args.x.dim() == 3 && args.x.is_floating_point(),
           "[layer_norm] x: expected a floating (B, N, C), got ", args.x.dtype(), " ",
           args.x.sym_sizes());
  if (!has_symbols(args.x)) return layer_norm_entry(args, [](const auto&...) {});
  const auto sizes = args.x.sym_sizes();
  const auto type = args.x.scalar_type();
  return {empty_of(args.x, sizes, args.type()),
          args.returns_sum() ? empty_of(args.x, sizes, type) : empty_of(args.x, {0}, type),
          empty_of(args.x, {sizes[0], sizes[1], 2}, accumulate_type(type))};
}

NormGrads backward_meta(const NormBackwardArgs& args) {
  if (!has_symbols(args.grad, args.x)) {
    return layer_norm_backward_entry(args, [](const auto&...) {});
  }
  const auto sizes = args.x.sym_sizes();
  const auto type = accumulate_type(args.x.scalar_type());
  const auto none = [&] { return empty_of(args.x, {0}, type); };
  const auto vector = [&] {
    if (args.weight) return empty_of(args.x, {sizes[2]}, type);
    return args.scale ? empty_of(args.x, {sizes[0], sizes[2]}, type) : none();
  };
  return {meta_like(args.x),
          args.has_update() ? empty_of(args.x, sizes, args.update_type_or_default()) : none(),
          args.gate ? empty_of(args.x, {sizes[0], sizes[2]}, type) : none(), vector(), vector()};
}

// What the backward pass needs of a call with these arguments and results.
void save(AutogradContext* context, const NormArgs& args, const NormResult& result) {
  const auto or_undefined = [](const OptionalTensor& t) { return t.value_or(Tensor()); };
  const auto& [y, sum, moments] = result;
  context->save_for_backward({args.keeps_y() ? y
                              : args.update  ? sum
                                             : args.x,
                              moments, or_undefined(args.weight), or_undefined(args.scale),
                              args.gate ? *args.update : Tensor(), or_undefined(args.gate),
                              or_undefined(args.row_scale)});
  context->saved_data["normalized"] = args.keeps_y();
  context->saved_data["y"] = y.scalar_type();
  const auto note = [&](const char* name, const OptionalTensor& t) {
    if (t) context->saved_data[name] = t->scalar_type();
  };
  note("offset", args.weight ? args.bias : args.shift);
  note("update", args.update);
  context->set_materialize_grads(false);
}

// Gradients of the tensors in the order of the schema.
variable_list gradients(AutogradContext* context, const Tensor& grad, const Tensor& grad_sum) {
  const auto saved = context->get_saved_variables();
  auto& data = context->saved_data;
  const auto given = [](const Tensor& t) { return t.defined() ? OptionalTensor(t) : std::nullopt; };
  const auto type = [&](const char* name) { return data[name].toScalarType(); };
  const auto &x = saved[0], &weight = saved[2], &scale = saved[3], &gate = saved[5];
  const auto& rows = saved[6];
  // Without a gate or another dtype the gradient of an update is that of x.
  std::optional<at::ScalarType> update_type;
  if (data.find("update") != data.end()) update_type = type("update");
  const bool own = gate.defined() || rows.defined() || update_type != x.scalar_type();
  // Without a gradient of y, only that of the sum counts.
  const auto dy = grad.defined() ? grad : at::zeros_like(x, x.options().dtype(type("y")));
  auto [grad_x, grad_update, grad_gate, grad_factor, grad_offset] = call_backward(
      dy, given(grad_sum), x, saved[1], given(weight), given(scale), given(saved[4]), given(gate),
      data["normalized"].toBool(), given(rows), update_type && own ? update_type : std::nullopt);
  variable_list out(7);
  out[0] = grad_x;
  if (weight.defined() || scale.defined()) {
    const size_t first = weight.defined() ? 1 : 3;
    out[first] = grad_factor.to((weight.defined() ? weight : scale).scalar_type());
    out[first + 1] = grad_offset.to(type("offset"));
  }
  if (update_type) out[5] = own ? grad_update : grad_x;
  if (gate.defined()) out[6] = grad_gate.to(gate.scalar_type());
  return out;
}

struct Autograd : torch::autograd::Function<Autograd> {
  static variable_list forward(AutogradContext* context, const Tensor& x,
                               const OptionalTensor& weight, const OptionalTensor& bias,
                               const OptionalTensor& scale, const OptionalTensor& shift,
                               const OptionalTensor& update, const OptionalTensor& gate, double eps,
                               std::optional<at::ScalarType> dtype, bool keep_sum,
                               const OptionalTensor& row_scale) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const NormArgs args{x,    weight, bias,  scale,    shift,    update,
                        gate, eps,    dtype, keep_sum, row_scale};
    const auto result =
        call(x, weight, bias, scale, shift, update, gate, eps, dtype, keep_sum, row_scale);
    save(context, args, result);
    const auto& [y, sum, moments] = result;
    context->mark_non_differentiable(args.returns_sum() ? variable_list{moments}
                                                        : variable_list{sum, moments});
    return {y, sum, moments};
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    auto out = gradients(context, grads[0], grads[1]);
    out.resize(11);
    return out;
  }
};

// x, which the branch is added to later, and y. The dispatcher has no schema for an operator that
// returns its argument.
struct Fork : torch::autograd::Function<Fork> {
  static variable_list forward(AutogradContext* context, const Tensor& x,
                               const OptionalTensor& weight, const OptionalTensor& bias,
                               const OptionalTensor& scale, const OptionalTensor& shift, double eps,
                               std::optional<at::ScalarType> dtype) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const OptionalTensor none;
    const auto result = call(x, weight, bias, scale, shift, none, none, eps, dtype, true, none);
    save(context, {x, weight, bias, scale, shift, none, none, eps, dtype, true, none}, result);
    return {x, std::get<0>(result)};
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    return gradients(context, grads[1], grads[0]);
  }
};

NormResult autograd(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                    const OptionalTensor& scale, const OptionalTensor& shift,
                    const OptionalTensor& update, const OptionalTensor& gate, double eps,
                    std::optional<at::ScalarType> dtype, bool keep_sum,
                    const OptionalTensor& row_scale) {
  const auto out =
      Autograd::apply(x, weight, bias, scale, shift, update, gate, eps, dtype, keep_sum, row_scale);
  return {out[0], out[1], out[2]};
}

NormGrads backward_autograd(const Tensor& grad, const OptionalTensor& grad_sum, const Tensor& x,
                            const Tensor& moments, const OptionalTensor& weight,
                            const OptionalTensor& scale, const OptionalTensor& update,
                            const OptionalTensor& gate, bool normalized,
                            const OptionalTensor& row_scale,
                            std::optional<at::ScalarType> update_type) {
  std::vector<Tensor> inputs{grad, x, moments};
  for (const auto* t : {&grad_sum, &weight, &scale, &update, &gate, &row_scale}) {
    if (*t) inputs.push_back(**t);
  }
  return once_differentiable("layer_norm", inputs, [&] {
    return call_backward(grad, grad_sum, x, moments, weight, scale, update, gate, normalized,
                         row_scale, update_type);
  });
}

}  // namespace

Tensor layer_norm(const Tensor& x, const NormOptions& options) {
  return std::get<0>(call(x, options, /*keep_sum=*/false));
}

std::pair<Tensor, Tensor> layer_norm_fork(const Tensor& x, const NormOptions& o) {
  if (!o.update && !at::GradMode::is_enabled()) return {x, layer_norm(x, o)};
  if (!o.update) {
    const auto out = Fork::apply(x, o.weight, o.bias, o.scale, o.shift, o.eps, o.dtype);
    return {out[0], out[1]};
  }
  const auto [y, sum, moments] = call(x, o, /*keep_sum=*/true);
  return {sum, y};
}

std::pair<Tensor, Tensor> reference::layer_norm(const Tensor& x, const NormOptions& o) {
  check_layer_norm("layer_norm", {x, o.weight, o.bias, o.scale, o.shift, o.update, o.gate, o.eps,
                                  o.dtype, true, o.row_scale});
  const auto sum = sum_of(x, o.update, o.gate, o.row_scale);
  auto y = at::layer_norm(sum, {sum.size(2)}, o.weight, o.bias, o.eps);
  if (o.scale) y = y * (o.scale->unsqueeze(1) + 1) + o.shift->unsqueeze(1);
  return {sum, y.to(o.dtype.value_or(x.scalar_type()))};
}

TORCH_LIBRARY_IMPL(wf, CompositeExplicitAutograd, m) {
  m.impl("layer_norm", &flat_layer_norm<&layer_norm_fallback>);
  m.impl("layer_norm_backward", &flat_layer_norm_backward<&layer_norm_backward_fallback>);
}
TORCH_LIBRARY_IMPL(wf, Meta, m) {
  m.impl("layer_norm", &flat_layer_norm<&meta>);
  m.impl("layer_norm_backward", &flat_layer_norm_backward<&backward_meta>);
}
TORCH_LIBRARY_IMPL(wf, Autograd, m) {
  m.impl("layer_norm", &autograd);
  m.impl("layer_norm_backward", &backward_autograd);
}

}  // namespace wf
