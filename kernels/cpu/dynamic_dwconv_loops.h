// The loops of dynamic_dwconv.
//
// A thread processes one vector of channels of a sample after another: it slides a window over the
// columns of three rows, each read once, with nine taps and three running sums in registers.
#pragma once

#include "kernels/cpu/loop_vectors.h"
#include "ops/dynamic_dwconv_params.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace wf {
namespace {

template <typename V>
struct Taps {
  V tap[9];
  V kernel[9], norm;  // as predicted; for the gradient of the normalization
};

// The strip: sample, first channel, number of channels.
struct Strip {
  int64_t sample, first, count;
};

template <bool kFullVector, typename T, typename A>
Taps<Vec<T>> read_taps(const DwconvInput<T, A>& in, const Strip& s) {
  Taps<Vec<T>> out;
  for (int t = 0; t < 9; ++t) {
    out.tap[t] = load<kFullVector>(in.weight + t * in.channels + s.first, s.count);
  }
  if (!in.kernel) return out;
  Vec<T> square(0);
  for (int t = 0; t < 9; ++t) {
    out.kernel[t] =
        load<kFullVector>(in.kernel + (s.sample * 9 + t) * in.channels + s.first, s.count);
    square = fmadd(out.kernel[t], out.kernel[t], square);
  }
  out.norm = square.sqrt();
  const auto factor = Vec<T>(1) / (out.norm + Vec<T>(1));
  for (int t = 0; t < 9; ++t) out.tap[t] = fmadd(out.kernel[t], factor, out.tap[t]);
  return out;
}

// output(row, column, start + Σ tap * input(row + i, column + j)).
template <typename V, typename Input, typename Output>
inline void convolve(int64_t height, int64_t width, const V (&taps)[9], const V& start, Input input,
                     Output output) {
  for (int64_t row = 0; row < height; ++row) {
    // Sums of the outputs at the column before, at this one and after it.
    V before = start, here = start;
    for (int64_t column = 0; column < width; ++column) {
      V after = start;
      const auto add = [&](int64_t from, const V& left, const V& middle, const V& right) {
        const V x = input(from, column);
        before = fmadd(x, right, before);
        here = fmadd(x, middle, here);
        after = fmadd(x, left, after);
      };
      if (row > 0) add(row - 1, taps[0], taps[1], taps[2]);
      add(row, taps[3], taps[4], taps[5]);
      if (row + 1 < height) add(row + 1, taps[6], taps[7], taps[8]);
      if (column > 0) output(row, column - 1, before);
      before = here;
      here = after;
    }
    output(row, width - 1, before);
  }
}

// sums[tap] += Σ grad(row, column) * input(row + i, column + j), sums[9] += Σ grad.
template <typename V, typename Input, typename Grad>
inline void correlate(int64_t height, int64_t width, V (&sums)[10], Input input, Grad grad) {
  const V zero(0);
  for (int64_t row = 0; row < height; ++row) {
    // Row by row, so that the rounding error does not grow with the image.
    V part[10];
    for (auto& p : part) p = zero;
    V before = zero, here = grad(row, 0);
    for (int64_t column = 0; column < width; ++column) {
      const V after = column + 1 < width ? grad(row, column + 1) : zero;
      const auto add = [&](int64_t from, V& left, V& middle, V& right) {
        const V x = input(from, column);
        left = fmadd(x, after, left);
        middle = fmadd(x, here, middle);
        right = fmadd(x, before, right);
      };
      if (row > 0) add(row - 1, part[0], part[1], part[2]);
      add(row, part[3], part[4], part[5]);
      if (row + 1 < height) add(row + 1, part[6], part[7], part[8]);
      part[9] = part[9] + here;
      before = here;
      here = after;
    }
    for (int t = 0; t < 10; ++t) sums[t] = sums[t] + part[t];
  }
}

// Reads the modulation and the gate of a strip; without them 1, 0 and 1.
template <bool kFullVector, typename T, typename A>
struct Modulation {
  Vec<T> factor{1}, shift{0}, gate{1};

  Modulation(const DwconvInput<T, A>& in, const Strip& s) {
    const int64_t at = s.sample * in.channels + s.first;
    if (in.scale) {
      factor = load<kFullVector>(in.scale + at, s.count) + Vec<T>(1);
      shift = load<kFullVector>(in.shift + at, s.count);
    }
    if (in.gate) gate = load<kFullVector>(in.gate + at, s.count);
  }
};

// kPlain: neither modulation nor gate, so that the classifiers do not pay for them.
template <bool kFullVector, bool kPlain, typename T, typename A>
void forward_strip(const DwconvInput<T, A>& in, T* y, const Strip& s) {
  const auto taps = read_taps<kFullVector>(in, s);
  const Modulation<kFullVector, T, A> m(in, s);
  const int64_t base = s.sample * in.height * in.width * in.channels + s.first;
  const auto place = [&](int64_t row, int64_t column) {
    return base + (row * in.width + column) * in.channels;
  };
  const auto input = [&](int64_t row, int64_t column) {
    const auto x = load<kFullVector>(in.x + place(row, column), s.count);
    return kPlain ? x : fmadd(x, m.factor, m.shift);
  };
  const auto output = [&](int64_t row, int64_t column, const Vec<T>& sum) {
    const int64_t at = place(row, column);
    auto value = kPlain ? sum : sum * m.gate;
    if (in.residual) value = value + load<kFullVector>(in.x + at, s.count);
    store(y + at, value, s.count);
  };
  convolve(in.height, in.width, taps.tap, load<kFullVector>(in.bias + s.first, s.count), input,
           output);
}

// dK of K / (1 + n): dk / (1 + n) - K (K·dk) / (n (1 + n)²), and dk where n = 0.
template <typename V>
void normalisation_backward(const Taps<V>& taps, const V (&sums)[10], V (&out)[9]) {
  V dot(0);
  for (int t = 0; t < 9; ++t) dot = fmadd(taps.kernel[t], sums[t], dot);
  const V factor = V(1) / (taps.norm + V(1));
  const V inner = V::blendv(dot * factor * factor / taps.norm, V(0), taps.norm == V(0)) * V(-1);
  for (int t = 0; t < 9; ++t) {
    out[t] = fmadd(taps.kernel[t], inner, sums[t] * factor);
  }
}

// sums: Σ grad * input of each tap, and Σ grad last, before the gate.
template <bool kFullVector, bool kPlain, typename T, typename A>
void store_parameter_gradients(const DwconvInput<T, A>& in, const DwconvGradients<T, A>& out,
                               const Strip& s, const Taps<Vec<T>>& taps, const Vec<T>& gate,
                               Vec<T> (&sums)[10]) {
  using V = Vec<T>;
  const int64_t row_at = s.sample * in.channels + s.first;
  if (out.gate) {
    // The gated value is Σ tap * input + bias: its product with the gradient follows from the sums.
    V dot = sums[9] * load<kFullVector>(in.bias + s.first, s.count);
    for (int t = 0; t < 9; ++t) dot = fmadd(taps.tap[t], sums[t], dot);
    store(out.gate + row_at, dot, s.count);
  }
  if (!kPlain) {
    for (auto& sum : sums) sum = sum * gate;
  }
  const auto store_taps = [&](A* to, const V* values) {
    for (int t = 0; t < 9; ++t) {
      store(to + (s.sample * 9 + t) * in.channels + s.first, values[t], s.count);
    }
  };
  store_taps(out.taps, sums);
  store(out.bias + row_at, sums[9], s.count);
  if (out.kernel) {
    V kernel_grad[9];
    normalisation_backward(taps, sums, kernel_grad);
    store_taps(out.kernel, kernel_grad);
  }
}

template <bool kFullVector, bool kPlain, typename T, typename A>
void backward_strip(const DwconvInput<T, A>& in, const DwconvGradients<T, A>& out, const Strip& s) {
  using V = Vec<T>;
  const auto taps = read_taps<kFullVector>(in, s);
  const Modulation<kFullVector, T, A> m(in, s);
  const int64_t base = s.sample * in.height * in.width * in.channels + s.first;
  const auto place = [&](int64_t row, int64_t column) {
    return base + (row * in.width + column) * in.channels;
  };
  const auto input = [&](int64_t row, int64_t column) {
    const auto x = load<kFullVector>(in.x + place(row, column), s.count);
    return kPlain ? x : fmadd(x, m.factor, m.shift);
  };
  const auto grad = [&](int64_t row, int64_t column) {
    return load<kFullVector>(out.grad + place(row, column), s.count);
  };

  // The gradient of the input is a convolution with the kernel flipped (rotated by 180°).
  V flipped[9];
  for (int t = 0; t < 9; ++t) flipped[t] = kPlain ? taps.tap[8 - t] : taps.tap[8 - t] * m.gate;
  V shift_sum(0), scale_sum(0);
  convolve(in.height, in.width, flipped, V(0), grad,
           [&](int64_t row, int64_t column, const V& sum) {
             const int64_t at = place(row, column);
             if (!kPlain) {
               shift_sum = shift_sum + sum;
               scale_sum = fmadd(sum, load<kFullVector>(in.x + at, s.count), scale_sum);
             }
             auto value = kPlain ? sum : sum * m.factor;
             if (in.residual) value = value + load<kFullVector>(out.grad + at, s.count);
             store(out.x + at, value, s.count);
           });
  if (out.scale) {
    const int64_t row_at = s.sample * in.channels + s.first;
    store(out.shift + row_at, shift_sum, s.count);
    store(out.scale + row_at, scale_sum, s.count);
  }

  V sums[10];
  for (auto& sum : sums) sum = V(0);
  correlate(in.height, in.width, sums, input, grad);
  store_parameter_gradients<kFullVector, kPlain>(in, out, s, taps, m.gate, sums);
}

// visit(full, plain, strip) for every strip, on all threads.
template <typename T, typename A, typename Visit>
void for_each_strip(const DwconvInput<T, A>& in, Visit visit) {
  constexpr int64_t kSize = Vec<T>::size();
  const int64_t strips = (in.channels + kSize - 1) / kSize;
  const bool plain = !in.scale && !in.gate;
  parallel_for(0, in.batch * strips, rows_per_thread(in.height * in.width * kSize),
               [&](int64_t i, int64_t end) {
                 for (; i < end; ++i) {
                   const int64_t first = i % strips * kSize;
                   const Strip s{i / strips, first, std::min(kSize, in.channels - first)};
                   const auto with = [&](auto full) {
                     plain ? visit(full, std::true_type(), s) : visit(full, std::false_type(), s);
                   };
                   s.count == kSize ? with(std::true_type()) : with(std::false_type());
                 }
               });
}

}  // namespace
}  // namespace wf
