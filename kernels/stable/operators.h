// The operators wf_loops::* (registration.cpp) over the kernels of a Device:
//
//   struct Device {
//     static bool holds(const Tensor& t);
//     struct Guard { explicit Guard(const Tensor& t); };  // t's device is the current one
//     static void token_pool(const T* x, T* y, const TokenGrid& g);  // and so on, see loops.cpp
//   };
//
// Tensors come in the layout that kernels take (tools/python/weightformer/stable.py sees to that):
// contiguous, of the dtype of the first or of its sums. That is checked again, because kernels do
// not check pointers.
#pragma once

#include "kernels/stable/capability.h"
#include "ops/column_gain_params.h"
#include "ops/dynamic_dwconv_params.h"
#include "ops/layer_norm_params.h"
#include "ops/layer_norm_types.h"
#include "ops/token_grid.h"

#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/Dispatch_v2.h>
#include <torch/headeronly/util/Exception.h>

#include <optional>
#include <type_traits>

namespace wf::stable {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Optional = std::optional<Tensor>;

template <typename T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

// run(T()) for the dtype T of t.
template <typename Run>
void for_dtype(const Tensor& t, Run run) {
  THO_DISPATCH_V2(t.scalar_type(), "wf_loops", AT_WRAP([&] { run(scalar_t()); }),
                  ScalarType::Double, ScalarType::Float, ScalarType::Half, ScalarType::BFloat16);
}

template <typename Device>
struct Operators {
  // The memory of a contiguous tensor with `count` numbers of type T.
  template <typename T>
  static T* memory(const Tensor& t, int64_t count) {
    constexpr auto kType = torch::headeronly::CppTypeToScalarType<T>::value;
    STD_TORCH_CHECK(
        Device::holds(t) && t.is_contiguous() && t.numel() == count && t.scalar_type() == kType,
        "[wf_loops] expected ", count, " contiguous numbers on the device, got ", t.numel());
    return static_cast<T*>(t.data_ptr());
  }
  template <typename T>
  static T* memory(const Optional& t, int64_t count) {
    return t ? memory<T>(*t, count) : nullptr;
  }

  // run(from, to, grid): `from` and `to` have so many tokens of each sample.
  template <typename Run>
  static void on_grid(const Tensor& from, const Tensor& to, int64_t height, int64_t width,
                      int64_t from_tokens, int64_t to_tokens, Run run) {
    STD_TORCH_CHECK(from.dim() == 3 && to.dim() == 3, "[wf_loops] expected three dimensions");
    const typename Device::Guard guard(from);
    const TokenGrid g{from.size(0), height, width, from.size(2)};
    for_dtype(from, [&](auto t) {
      using T = decltype(t);
      const int64_t each = g.batch * g.channels;
      run(static_cast<const T*>(memory<T>(from, each * from_tokens)),
          memory<T>(to, each * to_tokens), g);
    });
  }

  static void token_pool(const Tensor& x, int64_t height, int64_t width, const Tensor& y) {
    on_grid(x, y, height, width, height * width, (height / 2) * (width / 2),
            [](auto* from, auto* to, const TokenGrid& g) { Device::token_pool(from, to, g); });
  }
  static void token_pool_backward(const Tensor& grad, int64_t height, int64_t width,
                                  const Tensor& grad_x) {
    on_grid(
        grad, grad_x, height, width, (height / 2) * (width / 2), height * width,
        [](auto* from, auto* to, const TokenGrid& g) { Device::token_pool_backward(from, to, g); });
  }
  static void grid_pool3(const Tensor& x, int64_t height, int64_t width, const Tensor& y) {
    on_grid(x, y, height, width, height * width, 9,
            [](auto* from, auto* to, const TokenGrid& g) { Device::grid_pool3(from, to, g); });
  }
  static void grid_pool3_backward(const Tensor& grad, int64_t height, int64_t width,
                                  const Tensor& grad_x) {
    on_grid(
        grad, grad_x, height, width, 9, height * width,
        [](auto* from, auto* to, const TokenGrid& g) { Device::grid_pool3_backward(from, to, g); });
  }

  static void column_gain(const Tensor& right, const Tensor& product, double scale,
                          const Tensor& gained, const Tensor& norm) {
    const ColumnGainShape s{right.size(0), right.size(1), right.size(2)};
    const int64_t numbers = s.batch * s.rows * s.columns;
    const typename Device::Guard guard(right);
    for_dtype(right, [&](auto t) {
      using T = decltype(t);
      using A = Sum<T>;
      Device::column_gain(static_cast<const T*>(memory<T>(right, numbers)),
                          static_cast<const A*>(memory<A>(product, numbers)),
                          memory<T>(gained, numbers), memory<A>(norm, s.batch * s.columns),
                          static_cast<A>(scale), s);
    });
  }
  static void column_gain_backward(const Tensor& grad, const Tensor& right, const Tensor& product,
                                   const Tensor& norm, double scale, const Tensor& grad_right,
                                   const Tensor& weighted) {
    const ColumnGainShape s{right.size(0), right.size(1), right.size(2)};
    const int64_t numbers = s.batch * s.rows * s.columns;
    const typename Device::Guard guard(right);
    for_dtype(right, [&](auto t) {
      using T = decltype(t);
      using A = Sum<T>;
      Device::column_gain_backward(static_cast<const T*>(memory<T>(grad, numbers)),
                                   static_cast<const T*>(memory<T>(right, numbers)),
                                   static_cast<const A*>(memory<A>(product, numbers)),
                                   static_cast<const A*>(memory<A>(norm, s.batch * s.columns)),
                                   memory<T>(grad_right, numbers), memory<A>(weighted, numbers),
                                   static_cast<A>(scale), s);
    });
  }

  template <typename T, typename A>
  static DwconvInput<T, A> dwconv_input(const Tensor& x, int64_t height, int64_t width,
                                        const Optional& kernel, const Tensor& weight,
                                        const Tensor& bias, const Optional& shift,
                                        const Optional& scale, const Optional& gate,
                                        bool residual) {
    const int64_t b = x.size(0), c = x.size(2);
    return {memory<T>(x, b * height * width * c),
            memory<A>(kernel, b * 9 * c),
            memory<A>(weight, 9 * c),
            memory<A>(bias, c),
            memory<A>(shift, b * c),
            memory<A>(scale, b * c),
            memory<A>(gate, b * c),
            b,
            height,
            width,
            c,
            residual};
  }
  static void dynamic_dwconv(const Tensor& x, int64_t height, int64_t width, const Optional& kernel,
                             const Tensor& weight, const Tensor& bias, const Optional& shift,
                             const Optional& scale, const Optional& gate, bool residual,
                             const Tensor& y) {
    const typename Device::Guard guard(x);
    for_dtype(x, [&](auto t) {
      using T = decltype(t);
      const auto in = dwconv_input<T, Sum<T>>(x, height, width, kernel, weight, bias, shift, scale,
                                              gate, residual);
      Device::dynamic_dwconv(in, memory<T>(y, x.numel()));
    });
  }
  static void dynamic_dwconv_backward(const Tensor& x, int64_t height, int64_t width,
                                      const Optional& kernel, const Tensor& weight,
                                      const Tensor& bias, const Optional& shift,
                                      const Optional& scale, const Optional& gate, bool residual,
                                      const Tensor& grad, const Tensor& grad_x, const Tensor& taps,
                                      const Tensor& grad_bias, const Optional& grad_kernel,
                                      const Optional& grad_shift, const Optional& grad_scale,
                                      const Optional& grad_gate) {
    const int64_t b = x.size(0), c = x.size(2);
    const typename Device::Guard guard(x);
    for_dtype(x, [&](auto t) {
      using T = decltype(t);
      using A = Sum<T>;
      const auto in =
          dwconv_input<T, A>(x, height, width, kernel, weight, bias, shift, scale, gate, residual);
      Device::dynamic_dwconv_backward(
          in, DwconvGradients<T, A>{memory<T>(grad, x.numel()), memory<T>(grad_x, x.numel()),
                                    memory<A>(taps, b * 9 * c), memory<A>(grad_bias, b * c),
                                    memory<A>(grad_kernel, b * 9 * c), memory<A>(grad_shift, b * c),
                                    memory<A>(grad_scale, b * c), memory<A>(grad_gate, b * c)});
    });
  }

  static NormShape norm_shape_of(const Tensor& x) { return {x.size(0), x.size(1), x.size(2)}; }
  // A factor or offset is shared by all samples, or there is one for each.
  static int64_t numbers_of(const Optional& t) { return t ? t->numel() : 0; }
  static int64_t next_factor_of(const Optional& factor, const NormShape& s) {
    STD_TORCH_CHECK(
        !factor || factor->numel() == s.channels || factor->numel() == s.batch * s.channels,
        "[wf_loops] expected a factor of ", s.channels, " channels");
    return factor && factor->dim() == 2 ? s.channels : 0;
  }
  static void layer_norm(const Tensor& x, const Optional& update, const Optional& gate,
                         const Optional& factor, const Optional& offset, double eps,
                         const Tensor& y, const Optional& sum, const Tensor& moments) {
    const auto s = norm_shape_of(x);
    const int64_t tokens = s.batch * s.tokens, numbers = tokens * s.channels;
    const typename Device::Guard guard(x);
    const auto result = y.scalar_type();
    visit_norm_types(
        x.scalar_type(), update ? update->scalar_type() : result, result, [&](auto types) {
          using T = typename decltype(types)::Tokens;
          using U = typename decltype(types)::Update;
          using Y = typename decltype(types)::Result;
          using A = Sum<T>;
          Device::layer_norm(NormInput<T, U, Y, A>{
              memory<T>(x, numbers), memory<U>(update, numbers),
              memory<A>(gate, s.batch * s.channels), memory<A>(factor, numbers_of(factor)),
              memory<A>(offset, numbers_of(factor)), next_factor_of(factor, s),
              memory<Y>(y, numbers), memory<T>(sum, numbers), memory<A>(moments, 2 * tokens),
              static_cast<A>(eps), s});
        });
  }
  static void layer_norm_backward(const Tensor& grad, const Optional& grad_sum, const Tensor& x,
                                  const Tensor& moments, const Optional& factor,
                                  const Optional& update, const Optional& gate, bool normalized,
                                  const Tensor& grad_x, const Optional& grad_update,
                                  const Optional& factor_sums, const Optional& offset_sums,
                                  const Optional& gate_sums) {
    const auto s = norm_shape_of(x);
    const int64_t tokens = s.batch * s.tokens, numbers = tokens * s.channels;
    const int64_t parts = s.batch * s.parts() * s.channels;
    const typename Device::Guard guard(x);
    const auto result = grad.scalar_type();
    visit_norm_types(
        x.scalar_type(), grad_update ? grad_update->scalar_type() : result, result,
        [&](auto types) {
          using T = typename decltype(types)::Tokens;
          using U = typename decltype(types)::Update;
          using Y = typename decltype(types)::Result;
          using A = Sum<T>;
          Device::layer_norm_backward(NormGradients<T, U, Y, A>{
              memory<Y>(grad, numbers), memory<T>(grad_sum, numbers), memory<T>(x, numbers),
              normalized, memory<A>(moments, 2 * tokens), memory<A>(factor, numbers_of(factor)),
              next_factor_of(factor, s), memory<U>(update, numbers),
              memory<A>(gate, s.batch * s.channels), memory<T>(grad_x, numbers),
              memory<U>(grad_update, numbers), memory<A>(factor_sums, parts),
              memory<A>(offset_sums, parts), memory<A>(gate_sums, parts), s});
        });
  }

  static void add(Library& m) {
    m.impl("token_pool", TORCH_BOX(&Operators::token_pool));
    m.impl("token_pool_backward", TORCH_BOX(&Operators::token_pool_backward));
    m.impl("grid_pool3", TORCH_BOX(&Operators::grid_pool3));
    m.impl("grid_pool3_backward", TORCH_BOX(&Operators::grid_pool3_backward));
    m.impl("column_gain", TORCH_BOX(&Operators::column_gain));
    m.impl("column_gain_backward", TORCH_BOX(&Operators::column_gain_backward));
    m.impl("dynamic_dwconv", TORCH_BOX(&Operators::dynamic_dwconv));
    m.impl("dynamic_dwconv_backward", TORCH_BOX(&Operators::dynamic_dwconv_backward));
    m.impl("layer_norm", TORCH_BOX(&Operators::layer_norm));
    m.impl("layer_norm_backward", TORCH_BOX(&Operators::layer_norm_backward));
  }
};

}  // namespace
}  // namespace wf::stable
