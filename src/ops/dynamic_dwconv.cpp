#include "weightformer/ops/dynamic_dwconv.h"

#include "ops/dispatch.h"
#include "ops/dynamic_dwconv_kernel.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace wf {
namespace {

// The operators as the dispatcher calls them. Kernels take numbers for height and width.
at::Tensor call(const at::Tensor& x, c10::SymInt height, c10::SymInt width,
                const OptionalTensor& kernel, const at::Tensor& weight, const at::Tensor& bias,
                const OptionalTensor& shift, const OptionalTensor& scale,
                const OptionalTensor& gate, bool residual) {
  static const auto op = find_op<decltype(call)>("wf::dynamic_dwconv");
  return op.call(x, std::move(height), std::move(width), kernel, weight, bias, shift, scale, gate,
                 residual);
}

DwconvGrads call_backward(const at::Tensor& grad, const at::Tensor& x, c10::SymInt height,
                          c10::SymInt width, const OptionalTensor& kernel, const at::Tensor& weight,
                          const at::Tensor& bias, const OptionalTensor& shift,
                          const OptionalTensor& scale, const OptionalTensor& gate, bool residual) {
  static const auto op = find_op<decltype(call_backward)>("wf::dynamic_dwconv_backward");
  return op.call(grad, x, std::move(height), std::move(width), kernel, weight, bias, shift, scale,
                 gate, residual);
}

at::Tensor forward_fallback(const DwconvArgs& args) {
  const auto type = accumulate_type(args.x.scalar_type());
  const auto wide = [&](const OptionalTensor& t) { return t ? OptionalTensor(t->to(type)) : t; };
  return reference::dynamic_dwconv(args.x.to(type), args.grid, wide(args.kernel),
                                   args.weight.to(type), args.bias.to(type),
                                   {wide(args.options.shift), wide(args.options.scale),
                                    wide(args.options.gate), args.options.residual})
      .to(args.x.scalar_type())
      .contiguous();
}

// One tap after another over a padded image.
void backward_reference(const DwconvTensors& in, const DwconvGradTensors& out) {
  const auto type = in.weight.scalar_type();
  const int64_t h = in.height, w = in.width, b = in.x.size(0), c = in.x.size(2);
  const auto image = [&](const at::Tensor& t) { return t.to(type).unflatten(1, {h, w}); };
  const auto per_channel = [&](const at::Tensor& t) { return t.view({b, 1, 1, c}); };
  at::Tensor norm, taps = in.weight.unsqueeze(0);
  if (in.kernel.defined()) {
    norm = at::linalg_vector_norm(in.kernel, 2, {1}, /*keepdim=*/true);
    taps = in.kernel / (norm + 1) + taps;
  }
  const auto x = image(in.x), grad = image(out.grad);
  const auto input =
      in.scale.defined() ? x * (per_channel(in.scale) + 1) + per_channel(in.shift) : x;
  const auto padded = at::constant_pad_nd(input, {0, 0, 1, 1, 1, 1});
  auto padded_grad = at::zeros_like(padded);
  const auto gated = in.gate.defined() ? grad * per_channel(in.gate) : grad;
  auto gate_sum = grad.sum({1, 2}) * in.bias;
  for (int64_t t = 0; t < 9; ++t) {
    const auto window = [&](const at::Tensor& p) {
      return p.slice(1, t / 3, t / 3 + h).slice(2, t % 3, t % 3 + w);
    };
    const auto tap = taps.select(1, t);
    out.taps.select(1, t).copy_((gated * window(padded)).sum({1, 2}));
    gate_sum += (grad * window(padded)).sum({1, 2}) * tap;
    window(padded_grad).add_(gated * tap.unsqueeze(1).unsqueeze(1));
  }
  out.bias.copy_(gated.sum({1, 2}));
  if (out.gate.defined()) out.gate.copy_(gate_sum);
  auto grad_x = padded_grad.slice(1, 1, 1 + h).slice(2, 1, 1 + w);
  if (out.scale.defined()) {
    out.shift.copy_(grad_x.sum({1, 2}));
    out.scale.copy_((grad_x * x).sum({1, 2}));
    grad_x = grad_x * (per_channel(in.scale) + 1);
  }
  if (in.residual) grad_x = grad_x + grad;
  out.x.copy_(grad_x.flatten(1, 2));
  if (out.kernel.defined()) {
    const auto dot = (in.kernel * out.taps).sum({1}, /*keepdim=*/true);
    const auto inner = dot / norm / (norm + 1).square();
    out.kernel.copy_(out.taps / (norm + 1) -
                     in.kernel * at::where(norm == 0, at::zeros_like(inner), inner));
  }
}

DwconvGrads backward_fallback(const at::Tensor& grad, const DwconvArgs& args) {
  return dynamic_dwconv_backward_entry(grad, args, &backward_reference);
}

at::Tensor meta(const at::Tensor& x, c10::SymInt height, c10::SymInt width,
                const OptionalTensor& kernel, const at::Tensor& weight, const at::Tensor& bias,
                const OptionalTensor& shift, const OptionalTensor& scale,
                const OptionalTensor& gate, bool residual) {
  const auto rows = height.maybe_as_int(), columns = width.maybe_as_int();
  if (rows && columns && !has_symbols(x)) {
    return dynamic_dwconv_entry(
        {x, {*rows, *columns}, kernel, weight, bias, {shift, scale, gate, residual}},
        [](const auto&...) {});
  }
  check_sym_tokens("dynamic_dwconv", x, {std::move(height), std::move(width)});
  return meta_like(x);
}

DwconvGrads backward_meta(const at::Tensor& grad, const at::Tensor& x, c10::SymInt height,
                          c10::SymInt width, const OptionalTensor& kernel, const at::Tensor& weight,
                          const at::Tensor& bias, const OptionalTensor& shift,
                          const OptionalTensor& scale, const OptionalTensor& gate, bool residual) {
  const auto rows = height.maybe_as_int(), columns = width.maybe_as_int();
  if (rows && columns && !has_symbols(grad, x)) {
    return dynamic_dwconv_backward_entry(
        grad, {x, {*rows, *columns}, kernel, weight, bias, {shift, scale, gate, residual}},
        [](const auto&...) {});
  }
  const auto or_none = [&x](const OptionalTensor& t) {
    return t ? meta_like(*t) : meta_of(x, {0}).to(accumulate_type(x.scalar_type()));
  };
  // With the strides of the kernels' results, channels last: [B, 3, 3, C] and [3, 3, C] in memory.
  const auto c = x.sym_size(2);
  const auto grad_kernel =
      kernel ? meta_of(*kernel, {x.sym_size(0), 9, c}).transpose(1, 2).unflatten(2, {3, 3})
             : or_none(kernel);
  const auto grad_weight = meta_of(weight, {9, c}).t().reshape_symint({c, 1, 3, 3});
  return {meta_like(x),   grad_kernel,    grad_weight,  meta_like(bias),
          or_none(shift), or_none(scale), or_none(gate)};
}

struct Autograd : torch::autograd::Function<Autograd> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const SymGrid& grid, const OptionalTensor& kernel,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const OptionalTensor& shift, const OptionalTensor& scale,
                            const OptionalTensor& gate, bool residual) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto or_undefined = [](const OptionalTensor& t) { return t.value_or(at::Tensor()); };
    context->save_for_backward({x, or_undefined(kernel), weight, bias, or_undefined(shift),
                                or_undefined(scale), or_undefined(gate)});
    context->saved_data["height"] = grid.height;
    context->saved_data["width"] = grid.width;
    context->saved_data["residual"] = residual;
    return call(x, grid.height, grid.width, kernel, weight, bias, shift, scale, gate, residual);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    auto& data = context->saved_data;
    const auto given = [&](size_t i) {
      return saved[i].defined() ? OptionalTensor(saved[i]) : std::nullopt;
    };
    auto [x, kernel, weight, bias, shift, scale, gate] = call_backward(
        grads[0], saved[0], data["height"].toSymInt(), data["width"].toSymInt(), given(1), saved[2],
        saved[3], given(4), given(5), given(6), data["residual"].toBool());
    const auto if_given = [&](size_t i, const at::Tensor& t) {
      return saved[i].defined() ? t : at::Tensor();
    };
    return {x,
            {},
            if_given(1, kernel),
            weight,
            bias,
            if_given(4, shift),
            if_given(5, scale),
            if_given(6, gate),
            {}};
  }
};

at::Tensor autograd(const at::Tensor& x, c10::SymInt height, c10::SymInt width,
                    const OptionalTensor& kernel, const at::Tensor& weight, const at::Tensor& bias,
                    const OptionalTensor& shift, const OptionalTensor& scale,
                    const OptionalTensor& gate, bool residual) {
  return Autograd::apply(x, SymGrid{std::move(height), std::move(width)}, kernel, weight, bias,
                         shift, scale, gate, residual);
}

DwconvGrads backward_autograd(const at::Tensor& grad, const at::Tensor& x, c10::SymInt height,
                              c10::SymInt width, const OptionalTensor& kernel,
                              const at::Tensor& weight, const at::Tensor& bias,
                              const OptionalTensor& shift, const OptionalTensor& scale,
                              const OptionalTensor& gate, bool residual) {
  std::vector<at::Tensor> inputs{grad, x, weight, bias};
  for (const auto* t : {&kernel, &shift, &scale, &gate}) {
    if (*t) inputs.push_back(**t);
  }
  return once_differentiable("dynamic_dwconv", inputs, [&] {
    return call_backward(grad, x, height, width, kernel, weight, bias, shift, scale, gate,
                         residual);
  });
}

}  // namespace

at::Tensor dynamic_dwconv(const at::Tensor& x, Grid grid, const OptionalTensor& kernel,
                          const at::Tensor& weight, const at::Tensor& bias,
                          const DwconvOptions& options) {
  return call(x, grid.height, grid.width, kernel, weight, bias, options.shift, options.scale,
              options.gate, options.residual);
}

at::Tensor reference::dynamic_dwconv(const at::Tensor& x, Grid grid, const OptionalTensor& kernel,
                                     const at::Tensor& weight, const at::Tensor& bias,
                                     const DwconvOptions& options) {
  check_dynamic_dwconv("dynamic_dwconv", {x, grid, kernel, weight, bias, options});
  const int64_t b = x.size(0), c = x.size(2);
  const auto input =
      options.scale ? x * (options.scale->unsqueeze(1) + 1) + options.shift->unsqueeze(1) : x;
  const auto image = input.unflatten(1, {grid.height, grid.width}).permute({0, 3, 1, 2});
  at::Tensor y;
  if (kernel) {
    // One group per sample and channel: the samples become channels of a single image.
    const auto norm = at::linalg_vector_norm(*kernel, 2, {2, 3}, /*keepdim=*/true);
    const auto kernels = (*kernel / (norm + 1)).unsqueeze(2) + weight;  // [B, C, 1, 3, 3]
    y = at::conv2d(image.reshape({1, b * c, grid.height, grid.width}),
                   kernels.reshape({b * c, 1, 3, 3}), bias.repeat({b}), 1, 1, 1, b * c);
  } else {
    y = at::conv2d(image, weight, bias, 1, 1, 1, c);
  }
  y = y.reshape({b, c, grid.tokens()}).transpose(1, 2);
  if (options.gate) y = y * options.gate->unsqueeze(1);
  return options.residual ? x + y : y;
}

TORCH_LIBRARY_IMPL(wf, CompositeExplicitAutograd, m) {
  m.impl("dynamic_dwconv", &flat_dwconv<&forward_fallback>);
  m.impl("dynamic_dwconv_backward", &flat_dwconv_backward<&backward_fallback>);
}
TORCH_LIBRARY_IMPL(wf, Meta, m) {
  m.impl("dynamic_dwconv", &meta);
  m.impl("dynamic_dwconv_backward", &backward_meta);
}
TORCH_LIBRARY_IMPL(wf, Autograd, m) {
  m.impl("dynamic_dwconv", &autograd);
  m.impl("dynamic_dwconv_backward", &backward_autograd);
}

}  // namespace wf
