// The kernel entries of dynamic_dwconv on any device: check, convert, launch, convert the results.
#pragma once

#include "weightformer/ops/dynamic_dwconv.h"

#include "ops/dynamic_dwconv_params.h"
#include "ops/op_common.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>

#include <tuple>

namespace wf {

using OptionalTensor = std::optional<at::Tensor>;

/// The arguments of wf::dynamic_dwconv, for the length of a call.
struct DwconvArgs {
  const at::Tensor& x;
  Grid grid;
  const OptionalTensor& kernel;
  const at::Tensor& weight;
  const at::Tensor& bias;
  DwconvOptions options;
};

/// Gradients of x, kernel, weight, bias, shift, scale, gate; an empty tensor where not given.
using DwconvGrads =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

/// `function` as the dispatcher calls it, with the arguments of the schema one by one.
template <at::Tensor (*function)(const DwconvArgs&)>
at::Tensor flat_dwconv(const at::Tensor& x, int64_t height, int64_t width,
                       const OptionalTensor& kernel, const at::Tensor& weight,
                       const at::Tensor& bias, const OptionalTensor& shift,
                       const OptionalTensor& scale, const OptionalTensor& gate, bool residual) {
  return function({x, {height, width}, kernel, weight, bias, {shift, scale, gate, residual}});
}
template <DwconvGrads (*function)(const at::Tensor& grad, const DwconvArgs&)>
DwconvGrads flat_dwconv_backward(const at::Tensor& grad, const at::Tensor& x, int64_t height,
                                 int64_t width, const OptionalTensor& kernel,
                                 const at::Tensor& weight, const at::Tensor& bias,
                                 const OptionalTensor& shift, const OptionalTensor& scale,
                                 const OptionalTensor& gate, bool residual) {
  return function(grad, {x, {height, width}, kernel, weight, bias, {shift, scale, gate, residual}});
}

/// The arguments as the loops expect them: contiguous; undefined where not given.
struct DwconvTensors {
  at::Tensor x, kernel, weight, bias, shift, scale, gate;
  int64_t height, width;
  bool residual;

  template <typename T, typename A>
  DwconvInput<T, A> params() const {
    const auto pointer = [](const at::Tensor& t) {
      return t.defined() ? t.const_data_ptr<A>() : nullptr;
    };
    return {x.const_data_ptr<T>(),
            pointer(kernel),
            pointer(weight),
            pointer(bias),
            pointer(shift),
            pointer(scale),
            pointer(gate),
            x.size(0),
            height,
            width,
            x.size(2),
            residual};
  }
};

struct DwconvGradTensors {
  at::Tensor grad, x, taps, bias, kernel, shift, scale, gate;

  template <typename T, typename A>
  DwconvGradients<T, A> params() const {
    const auto pointer = [](const at::Tensor& t) {
      return t.defined() ? t.mutable_data_ptr<A>() : nullptr;
    };
    return {grad.const_data_ptr<T>(), x.mutable_data_ptr<T>(), pointer(taps),  pointer(bias),
            pointer(kernel),          pointer(shift),          pointer(scale), pointer(gate)};
  }
};

/// [B, C, 3, 3] → [B, 9, C].
inline at::Tensor to_taps(const at::Tensor& kernel) {
  return kernel.permute({0, 2, 3, 1}).flatten(1, 2);
}

inline void check_dynamic_dwconv(const char* op, const DwconvArgs& args) {
  const auto& options = args.options;
  check_tokens(op, args.x, args.grid.height, args.grid.width);
  const int64_t b = args.x.size(0), c = args.x.size(2);
  const auto check = [&](const char* name, const at::Tensor& t, at::IntArrayRef expected) {
    check_shape(op, name, t, expected);
    check_device(op, name, t, args.x);
  };
  check("weight", args.weight, {c, 1, 3, 3});
  check("bias", args.bias, {c});
  if (args.kernel) check("kernel", *args.kernel, {b, c, 3, 3});
  WF_CHECK(options.shift.has_value() == options.scale.has_value(), "[", op,
           "] shift and scale: expected both or neither");
  if (options.shift) check("shift", *options.shift, {b, c});
  if (options.scale) check("scale", *options.scale, {b, c});
  if (options.gate) check("gate", *options.gate, {b, c});
}

inline DwconvTensors lay_out_dwconv(const DwconvArgs& args) {
  const auto type = accumulate_type(args.x.scalar_type());
  const auto given = [&](const OptionalTensor& t) {
    return t ? t->to(type).contiguous() : at::Tensor();
  };
  return {args.x.contiguous(),
          args.kernel ? to_taps(*args.kernel).to(type).contiguous() : at::Tensor(),
          args.weight.to(type).reshape({args.x.size(2), 9}).t().contiguous(),
          args.bias.to(type).contiguous(),
          given(args.options.shift),
          given(args.options.scale),
          given(args.options.gate),
          args.grid.height,
          args.grid.width,
          args.options.residual};
}

/// launch(const DwconvTensors&, y)
template <typename Launch>
at::Tensor dynamic_dwconv_entry(const DwconvArgs& args, Launch launch) {
  check_dynamic_dwconv("dynamic_dwconv", args);
  const c10::DeviceGuard guard(args.x.device());
  const auto in = lay_out_dwconv(args);
  auto y = at::empty_like(in.x);
  if (y.numel() > 0) launch(in, y);
  return y;
}

/// launch(const DwconvTensors&, const DwconvGradTensors&) fills the tensors that are defined there.
template <typename Launch>
DwconvGrads dynamic_dwconv_backward_entry(const at::Tensor& grad, const DwconvArgs& args,
                                          Launch launch) {
  const char* op = "dynamic_dwconv_backward";
  const auto& [x, grid, kernel, weight, bias, options] = args;
  check_dynamic_dwconv(op, args);
  check_shape(op, "grad", grad, x.sizes());
  check_device(op, "grad", grad, x);
  const c10::DeviceGuard guard(x.device());
  const auto in = lay_out_dwconv(args);
  const int64_t b = x.size(0), c = x.size(2);
  const auto sums = x.options().dtype(accumulate_type(x.scalar_type()));
  const auto buffer = [&](bool wanted, at::IntArrayRef shape) {
    return wanted ? at::empty(shape, sums) : at::Tensor();
  };
  const DwconvGradTensors out{grad.to(x.scalar_type()).contiguous(),
                              at::empty_like(in.x),
                              at::empty({b, 9, c}, sums),
                              at::empty({b, c}, sums),
                              buffer(kernel.has_value(), {b, 9, c}),
                              buffer(options.shift.has_value(), {b, c}),
                              buffer(options.scale.has_value(), {b, c}),
                              buffer(options.gate.has_value(), {b, c})};
  if (x.numel() > 0) {
    launch(in, out);
  } else {
    for (const auto& t : {out.taps, out.bias, out.kernel, out.shift, out.scale, out.gate}) {
      if (t.defined()) t.zero_();
    }
  }
  const auto as = [&](const at::Tensor& t, const OptionalTensor& like) {
    return like ? t.to(like->scalar_type()) : at::empty({0}, sums);
  };
  return {out.x,
          as(kernel ? out.kernel.transpose(1, 2).unflatten(2, {3, 3}) : at::Tensor(), kernel),
          out.taps.sum(0).t().reshape({c, 1, 3, 3}).to(weight.scalar_type()),
          out.bias.sum(0).to(bias.scalar_type()),
          as(out.shift, options.shift),
          as(out.scale, options.scale),
          as(out.gate, options.gate)};
}

}  // namespace wf
