// The kernel entries of layer_norm on any device: check, convert, launch, convert the results.
#pragma once

#include "ops/layer_norm_params.h"
#include "ops/layer_norm_types.h"
#include "ops/op_common.h"

#include <ATen/ops/clone.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>

#include <optional>
#include <tuple>

namespace wf {

using OptionalTensor = std::optional<at::Tensor>;

/// The arguments of the operator wf::layer_norm, for the length of a call.
struct NormArgs {
  const at::Tensor& x;
  const OptionalTensor &weight, &bias, &scale, &shift, &update, &gate;
  double eps;
  std::optional<at::ScalarType> dtype;
  bool keep_sum;
  const OptionalTensor& row_scale;

  at::ScalarType type() const { return dtype.value_or(x.scalar_type()); }
  /// The backward pass can do with y: it holds the normalized tokens in the dtype of x.
  bool keeps_y() const { return !weight && !scale && type() == x.scalar_type(); }
  bool returns_sum() const { return update && (keep_sum || !keeps_y()); }
};
struct NormBackwardArgs {
  const at::Tensor &grad, &x, &moments;
  const OptionalTensor &grad_sum, &weight, &scale, &update, &gate;
  bool normalized;
  const OptionalTensor& row_scale;
  std::optional<at::ScalarType> update_type;

  /// The gradient of the update has a tensor of its own.
  bool has_update() const { return update || row_scale || update_type; }
  at::ScalarType update_type_or_default() const {
    return update ? update->scalar_type() : update_type.value_or(x.scalar_type());
  }
};

/// y; the sum x + gate * update, or an empty tensor; [B, N, 2] with mean and 1 / standard
/// deviation.
using NormResult = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
/// Gradients of x, update, gate, factor (weight or scale) and offset (bias or shift); that of the
/// update in its dtype, those of vectors in that of sums. An empty tensor where not given.
using NormGrads = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

template <NormResult (*function)(const NormArgs&)>
NormResult flat_layer_norm(const at::Tensor& x, const OptionalTensor& weight,
                           const OptionalTensor& bias, const OptionalTensor& scale,
                           const OptionalTensor& shift, const OptionalTensor& update,
                           const OptionalTensor& gate, double eps,
                           std::optional<at::ScalarType> dtype, bool keep_sum,
                           const OptionalTensor& row_scale) {
  return function({x, weight, bias, scale, shift, update, gate, eps, dtype, keep_sum, row_scale});
}
template <NormGrads (*function)(const NormBackwardArgs&)>
NormGrads flat_layer_norm_backward(const at::Tensor& grad, const OptionalTensor& grad_sum,
                                   const at::Tensor& x, const at::Tensor& moments,
                                   const OptionalTensor& weight, const OptionalTensor& scale,
                                   const OptionalTensor& update, const OptionalTensor& gate,
                                   bool normalized, const OptionalTensor& row_scale,
                                   std::optional<at::ScalarType> update_type) {
  return function({grad, x, moments, grad_sum, weight, scale, update, gate, normalized, row_scale,
                   update_type});
}

/// The operators in plain ATen.
NormResult layer_norm_fallback(const NormArgs& args);
NormGrads layer_norm_backward_fallback(const NormBackwardArgs& args);

inline NormShape check_norm_tokens(const char* op, const at::Tensor& x) {
  WF_CHECK(x.dim() == 3 && x.is_floating_point() && x.size(2) > 0, "[", op,
           "] x: expected a floating (B, N, C), got ", x.dtype(), " ", x.sizes());
  return {x.size(0), x.size(1), x.size(2)};
}

inline NormShape check_layer_norm(const char* op, const NormArgs& args) {
  const auto shape = check_norm_tokens(op, args.x);
  const int64_t b = shape.batch, c = shape.channels;
  const auto check = [&](const char* name, const OptionalTensor& t, at::IntArrayRef expected) {
    if (!t) return;
    check_shape(op, name, *t, expected);
    check_device(op, name, *t, args.x);
  };
  check("weight", args.weight, {c});
  check("bias", args.bias, {c});
  check("scale", args.scale, {b, c});
  check("shift", args.shift, {b, c});
  check("update", args.update, args.x.sizes());
  check("gate", args.gate, {b, c});
  check("row_scale", args.row_scale, {b});
  const auto both = [&](const char* names, const OptionalTensor& t, const OptionalTensor& u) {
    WF_CHECK(t.has_value() == u.has_value(), "[", op, "] ", names, ": expected both or neither");
  };
  both("weight and bias", args.weight, args.bias);
  both("scale and shift", args.scale, args.shift);
  WF_CHECK(!args.weight || !args.scale, "[", op, "] weight and scale: expected one of them");
  WF_CHECK(!args.gate || args.update, "[", op, "] gate: expected an update to multiply");
  WF_CHECK(!args.row_scale || args.update, "[", op, "] row_scale: expected an update to multiply");
  WF_CHECK(at::isFloatingType(args.type()), "[", op, "] dtype: expected a floating one, got ",
           args.type());
  return shape;
}

/// Contiguous, and so that packs of 16 bytes can be read.
inline at::Tensor laid_out(const at::Tensor& t) {
  const auto dense = t.contiguous();
  if (dense.is_meta()) return dense;
  const bool aligned = reinterpret_cast<uintptr_t>(dense.const_data_ptr()) % 16 == 0;
  return aligned ? dense : dense.clone();
}

/// Fused vectors, in the dtype of sums and contiguous: [C] or [B, C], or undefined. `gate` is what
/// an update is multiplied by: with a scale of rows that is in it.
struct NormVectors {
  at::Tensor factor, offset, gate, row_scale;
  int64_t next_factor = 0;

  NormVectors(const at::Tensor& x, const OptionalTensor& weight, const OptionalTensor& scale,
              const OptionalTensor& given_offset, const OptionalTensor& given_gate,
              const OptionalTensor& rows) {
    const auto wide = [type = accumulate_type(x.scalar_type())](const OptionalTensor& t) {
      return t ? laid_out(t->to(type)) : at::Tensor();
    };
    factor = scale ? wide(scale).add(1) : wide(weight);
    offset = wide(given_offset);
    gate = wide(given_gate);
    if (rows) {
      row_scale = wide(rows).unsqueeze(1);
      gate = gate.defined() ? gate.mul(row_scale)
                            : row_scale.expand({x.size(0), x.size(2)}).contiguous();
    }
    if (scale) next_factor = x.size(2);
  }
};

template <typename T>
const T* norm_pointer(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}
template <typename T>
T* norm_output(const at::Tensor& t) {
  return t.defined() && t.numel() > 0 ? t.mutable_data_ptr<T>() : nullptr;
}

/// Whether there is something to compute.
inline bool has_numbers(const at::Tensor& t) { return t.numel() > 0 && !t.is_meta(); }

/// launch(types, NormInput) computes y, the sum and the moments.
template <typename Launch>
NormResult layer_norm_entry(const NormArgs& args, Launch launch) {
  const auto shape = check_layer_norm("layer_norm", args);
  const c10::DeviceGuard guard(args.x.device());
  const auto tokens = args.x.scalar_type(), sums = accumulate_type(tokens);
  const auto x = laid_out(args.x);
  at::Tensor update;
  if (args.update) {
    update = laid_out(args.update->to(norm_type(tokens, args.update->scalar_type())));
  }
  auto result = norm_type(tokens, args.type());
  // No kernel has a long update and a short result, or two short dtypes.
  if (update.defined() && update.scalar_type() != result && is_short(result)) result = tokens;
  const auto update_type = update.defined() ? update.scalar_type() : result;
  const NormVectors vectors(x, args.weight, args.scale, args.weight ? args.bias : args.shift,
                            args.gate, args.row_scale);
  const auto y = at::empty_like(x, x.options().dtype(result));
  const auto sum = args.returns_sum() ? at::empty_like(x) : at::empty({0}, x.options());
  const auto moments = at::empty({shape.batch, shape.tokens, 2}, x.options().dtype(sums));
  if (has_numbers(x)) {
    visit_norm_types(tokens, update_type, result, [&](auto types) {
      using T = typename decltype(types)::Tokens;
      using U = typename decltype(types)::Update;
      using Y = typename decltype(types)::Result;
      using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
      launch(types, NormInput<T, U, Y, A>{
                        norm_pointer<T>(x), norm_pointer<U>(update), norm_pointer<A>(vectors.gate),
                        norm_pointer<A>(vectors.factor), norm_pointer<A>(vectors.offset),
                        vectors.next_factor, norm_output<Y>(y), norm_output<T>(sum),
                        norm_output<A>(moments), static_cast<A>(args.eps), shape});
    });
  }
  return {y.to(args.type()), sum, moments};
}

inline NormShape check_layer_norm_backward(const char* op, const NormBackwardArgs& args) {
  const auto shape = check_norm_tokens(op, args.x);
  const auto check = [&](const char* name, const at::Tensor& t, at::IntArrayRef expected) {
    check_shape(op, name, t, expected);
    check_device(op, name, t, args.x);
  };
  const auto check_given = [&](const char* name, const OptionalTensor& t,
                               at::IntArrayRef expected) {
    if (t) check(name, *t, expected);
  };
  check("grad", args.grad, args.x.sizes());
  check("moments", args.moments, {shape.batch, shape.tokens, 2});
  check_given("grad_sum", args.grad_sum, args.x.sizes());
  check_given("weight", args.weight, {shape.channels});
  check_given("scale", args.scale, {shape.batch, shape.channels});
  check_given("update", args.update, args.x.sizes());
  check_given("gate", args.gate, {shape.batch, shape.channels});
  check_given("row_scale", args.row_scale, {shape.batch});
  WF_CHECK(args.update.has_value() == args.gate.has_value(), "[", op,
           "] update and gate: expected both or neither");
  WF_CHECK(!args.weight || !args.scale, "[", op, "] weight and scale: expected one of them");
  return shape;
}

/// The tensors of a backward pass as the kernels take them.
struct NormGradTensors {
  at::Tensor grad, grad_sum, x, moments, update, grad_x, grad_update, factor_sums, offset_sums,
      gate_sums;
  NormVectors vectors;

  NormGradTensors(const NormBackwardArgs& args, const NormShape& shape)
      : x(laid_out(args.x)),
        moments(laid_out(args.moments)),
        grad_x(at::empty_like(x)),
        vectors(x, args.weight, args.scale, std::nullopt, args.gate, args.row_scale) {
    const auto tokens = x.scalar_type();
    auto result = norm_type(tokens, args.grad.scalar_type());
    if (args.has_update()) {
      const auto type = norm_type(tokens, args.update_type_or_default());
      if (type != result && is_short(result)) result = tokens;
      if (args.update) update = laid_out(args.update->to(type));
      grad_update = at::empty_like(x, x.options().dtype(type));
    }
    grad = laid_out(args.grad.to(result));
    if (args.grad_sum) grad_sum = laid_out(args.grad_sum->to(tokens));
    const auto buffer = [&](bool wanted) {
      if (!wanted) return at::Tensor();
      return at::empty({shape.batch, shape.parts(), shape.channels},
                       x.options().dtype(accumulate_type(tokens)));
    };
    factor_sums = buffer(vectors.factor.defined());
    offset_sums = buffer(vectors.factor.defined());
    gate_sums = buffer(args.gate.has_value());
  }

  template <typename T, typename U, typename Y, typename A>
  NormGradients<T, U, Y, A> params(bool normalized, const NormShape& shape) const {
    return {norm_pointer<Y>(grad),
            norm_pointer<T>(grad_sum),
            norm_pointer<T>(x),
            normalized,
            norm_pointer<A>(moments),
            norm_pointer<A>(vectors.factor),
            vectors.next_factor,
            norm_pointer<U>(update),
            norm_pointer<A>(vectors.gate),
            norm_output<T>(grad_x),
            norm_output<U>(grad_update),
            norm_output<A>(factor_sums),
            norm_output<A>(offset_sums),
            norm_output<A>(gate_sums),
            shape};
  }
};

/// launch(types, NormGradients)
template <typename Launch>
NormGrads layer_norm_backward_entry(const NormBackwardArgs& args, Launch launch) {
  const auto shape = check_layer_norm_backward("layer_norm_backward", args);
  const c10::DeviceGuard guard(args.x.device());
  const NormGradTensors t(args, shape);
  if (has_numbers(t.x)) {
    const auto result = t.grad.scalar_type();
    const auto update = t.grad_update.defined() ? t.grad_update.scalar_type() : result;
    visit_norm_types(t.x.scalar_type(), update, result, [&](auto types) {
      using T = typename decltype(types)::Tokens;
      using U = typename decltype(types)::Update;
      using Y = typename decltype(types)::Result;
      using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
      launch(types, t.params<T, U, Y, A>(args.normalized, shape));
    });
  }
  const auto none = [&] { return at::empty({0}, t.moments.options()); };
  const auto per_sample = [&](const at::Tensor& sums) {
    return sums.defined() ? sums.sum(1) : none();
  };
  // Affine parameters are shared by all samples.
  const auto vector = [&](const at::Tensor& sums) {
    return args.weight ? sums.sum(at::IntArrayRef{0, 1}) : per_sample(sums);
  };
  auto grad_gate = per_sample(t.gate_sums);
  if (args.gate && args.row_scale) grad_gate = grad_gate.mul(t.vectors.row_scale);
  return {t.grad_x, args.has_update() ? t.grad_update.to(args.update_type_or_default()) : none(),
          grad_gate, vector(t.factor_sums), vector(t.offset_sums)};
}

}  // namespace wf
