// Compiled once for each instruction set; see registration.cpp.

#include "kernels/cpu/column_gain_loops.h"
#include "kernels/cpu/dynamic_dwconv_loops.h"
#include "kernels/cpu/grid_pool3_loops.h"
#include "kernels/cpu/token_pool_loops.h"
#include "kernels/stable/capability.h"

#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/Dispatch_v2.h>
#include <torch/headeronly/util/Exception.h>

#include <optional>

namespace wf {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Optional = std::optional<Tensor>;

// run(T()) for the dtype T of t.
template <typename Run>
void for_dtype(const Tensor& t, Run run) {
  THO_DISPATCH_V2(t.scalar_type(), "wf_loops", AT_WRAP([&] { run(scalar_t()); }),
                  ScalarType::Double, ScalarType::Float, ScalarType::Half, ScalarType::BFloat16);
}

template <typename T>
constexpr ScalarType dtype_of() {
  return torch::headeronly::CppTypeToScalarType<T>::value;
}

// The memory of a contiguous tensor with `count` numbers of type T.
template <typename T>
T* memory(const Tensor& t, int64_t count) {
  STD_TORCH_CHECK(
      t.is_cpu() && t.is_contiguous() && t.numel() == count && t.scalar_type() == dtype_of<T>(),
      "[wf_loops] expected ", count, " contiguous numbers on the CPU, got ", t.numel());
  return static_cast<T*>(t.data_ptr());
}
template <typename T>
T* memory(const Optional& t, int64_t count) {
  return t ? memory<T>(*t, count) : nullptr;
}

TokenGrid grid_of(const Tensor& x, const Tensor& y, int64_t height, int64_t width) {
  STD_TORCH_CHECK(x.dim() == 3 && y.dim() == 3, "[wf_loops] expected tensors of three dimensions");
  return {x.size(0), height, width, x.size(2)};
}

// A loop over a grid of height x width tokens and `cells` others.
template <typename Loop>
void on_grid(const Tensor& from, const Tensor& to, const TokenGrid& g, int64_t from_tokens,
             int64_t to_tokens, Loop loop) {
  for_dtype(from, [&](auto t) {
    using T = decltype(t);
    const int64_t each = g.batch * g.channels;
    loop(static_cast<const T*>(memory<T>(from, each * from_tokens)),
         memory<T>(to, each * to_tokens));
  });
}

void token_pool(const Tensor& x, int64_t height, int64_t width, const Tensor& y) {
  const auto g = grid_of(x, y, height, width);
  on_grid(x, y, g, height * width, (height / 2) * (width / 2),
          [&](auto* from, auto* to) { token_pool_loop(from, to, g); });
}

void token_pool_backward(const Tensor& grad, int64_t height, int64_t width, const Tensor& grad_x) {
  const auto g = grid_of(grad, grad_x, height, width);
  on_grid(grad, grad_x, g, (height / 2) * (width / 2), height * width,
          [&](auto* from, auto* to) { token_pool_backward_loop(from, to, g); });
}

void grid_pool3(const Tensor& x, int64_t height, int64_t width, const Tensor& y) {
  const auto g = grid_of(x, y, height, width);
  on_grid(x, y, g, height * width, 9, [&](auto* from, auto* to) { grid_pool3_loop(from, to, g); });
}

void grid_pool3_backward(const Tensor& grad, int64_t height, int64_t width, const Tensor& grad_x) {
  const auto g = grid_of(grad, grad_x, height, width);
  on_grid(grad, grad_x, g, 9, height * width,
          [&](auto* from, auto* to) { grid_pool3_backward_loop(from, to, g); });
}

void column_gain(const Tensor& right, const Tensor& product, double scale, const Tensor& gained,
                 const Tensor& norm) {
  const ColumnGainShape s{right.size(0), right.size(1), right.size(2)};
  const int64_t numbers = s.batch * s.rows * s.columns;
  for_dtype(right, [&](auto t) {
    using T = decltype(t);
    using A = Accumulate<T>;
    gain(static_cast<const T*>(memory<T>(right, numbers)), memory<A>(product, numbers),
         memory<T>(gained, numbers), memory<A>(norm, s.batch * s.columns), static_cast<A>(scale),
         s);
  });
}

void column_gain_backward(const Tensor& grad, const Tensor& right, const Tensor& product,
                          const Tensor& norm, double scale, const Tensor& grad_right,
                          const Tensor& weighted) {
  const ColumnGainShape s{right.size(0), right.size(1), right.size(2)};
  const int64_t numbers = s.batch * s.rows * s.columns;
  for_dtype(right, [&](auto t) {
    using T = decltype(t);
    using A = Accumulate<T>;
    gain_backward(static_cast<const T*>(memory<T>(grad, numbers)),
                  static_cast<const T*>(memory<T>(right, numbers)), memory<A>(product, numbers),
                  memory<A>(norm, s.batch * s.columns), memory<T>(grad_right, numbers),
                  memory<A>(weighted, numbers), static_cast<A>(scale), s);
  });
}

template <typename T, typename A>
DwconvInput<T, A> dwconv_input(const Tensor& x, int64_t height, int64_t width,
                               const Optional& kernel, const Tensor& weight, const Tensor& bias,
                               const Optional& shift, const Optional& scale, const Optional& gate,
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

void dynamic_dwconv(const Tensor& x, int64_t height, int64_t width, const Optional& kernel,
                    const Tensor& weight, const Tensor& bias, const Optional& shift,
                    const Optional& scale, const Optional& gate, bool residual, const Tensor& y) {
  for_dtype(x, [&](auto t) {
    using T = decltype(t);
    const auto in = dwconv_input<T, Accumulate<T>>(x, height, width, kernel, weight, bias, shift,
                                                   scale, gate, residual);
    auto* out = memory<T>(y, x.numel());
    for_each_strip(in, [&](auto full, auto plain, const Strip& s) {
      forward_strip<full.value, plain.value>(in, out, s);
    });
  });
}

void dynamic_dwconv_backward(const Tensor& x, int64_t height, int64_t width, const Optional& kernel,
                             const Tensor& weight, const Tensor& bias, const Optional& shift,
                             const Optional& scale, const Optional& gate, bool residual,
                             const Tensor& grad, const Tensor& grad_x, const Tensor& taps,
                             const Tensor& grad_bias, const Optional& grad_kernel,
                             const Optional& grad_shift, const Optional& grad_scale,
                             const Optional& grad_gate) {
  const int64_t b = x.size(0), c = x.size(2);
  for_dtype(x, [&](auto t) {
    using T = decltype(t);
    using A = Accumulate<T>;
    const auto in =
        dwconv_input<T, A>(x, height, width, kernel, weight, bias, shift, scale, gate, residual);
    const DwconvGradients<T, A> out{memory<T>(grad, x.numel()),        memory<T>(grad_x, x.numel()),
                                    memory<A>(taps, b * 9 * c),        memory<A>(grad_bias, b * c),
                                    memory<A>(grad_kernel, b * 9 * c), memory<A>(grad_shift, b * c),
                                    memory<A>(grad_scale, b * c),      memory<A>(grad_gate, b * c)};
    for_each_strip(in, [&](auto full, auto plain, const Strip& s) {
      backward_strip<full.value, plain.value>(in, out, s);
    });
  });
}

}  // namespace

namespace stable::CPU_CAPABILITY {

void add_loops(Library& m) {
  m.impl("token_pool", TORCH_BOX(&token_pool));
  m.impl("token_pool_backward", TORCH_BOX(&token_pool_backward));
  m.impl("grid_pool3", TORCH_BOX(&grid_pool3));
  m.impl("grid_pool3_backward", TORCH_BOX(&grid_pool3_backward));
  m.impl("column_gain", TORCH_BOX(&column_gain));
  m.impl("column_gain_backward", TORCH_BOX(&column_gain_backward));
  m.impl("dynamic_dwconv", TORCH_BOX(&dynamic_dwconv));
  m.impl("dynamic_dwconv_backward", TORCH_BOX(&dynamic_dwconv_backward));
}

}  // namespace stable::CPU_CAPABILITY
}  // namespace wf
