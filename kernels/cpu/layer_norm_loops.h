// The loops of layer_norm, over any vectors of channels. A thread processes one token after
// another; the row of a token stays in the first-level cache between the passes over it.
#pragma once

#include "kernels/cpu/loop_vectors.h"
#include "ops/layer_norm_params.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace wf {
namespace {

template <typename T>
const T* row_of(const T* tensor, int64_t row, int64_t channels) {
  return tensor ? tensor + row * channels : nullptr;
}
template <typename T>
T* row_of(T* tensor, int64_t row, int64_t channels) {
  return tensor ? tensor + row * channels : nullptr;
}

// `sum` gets x + gate * update of a token in the dtype of sums.
template <typename T, typename U, typename Y, typename A>
void add_update(const NormInput<T, U, Y, A>& in, int64_t row, A* sum) {
  const int64_t c = in.shape.channels;
  const T* x = row_of(in.x, row, c);
  const U* update = row_of(in.update, row, c);
  const A* gate = row_of(in.gate, row / in.shape.tokens, c);
  T* kept = row_of(in.sum, row, c);
  for_each_vector<T>(c, [&](auto full, int64_t i, int64_t n) {
    const auto u = load<full.value>(update + i, n), v = load<full.value>(x + i, n);
    const auto s = gate ? fmadd(load<full.value>(gate + i, n), u, v) : v + u;
    store(sum + i, s, n);
    if (kept) store(kept + i, s, n);
  });
}

// Normalizes a token from `x`, which is its x or its sum.
template <typename X, typename T, typename U, typename Y, typename A>
void normalize(const NormInput<T, U, Y, A>& in, int64_t row, const X* x) {
  using V = Vec<T>;
  const int64_t c = in.shape.channels, sample = row / in.shape.tokens;
  V sum(0), squares(0);
  for_each_vector<T>(
      c, [&](auto full, int64_t i, int64_t n) { sum = sum + load<full.value>(x + i, n); });
  const A mean = sum_of_lanes(sum) / c;
  for_each_vector<T>(c, [&](auto full, int64_t i, int64_t n) {
    auto d = load<full.value>(x + i, n) - V(mean);
    if (!full.value) d = first_lanes(d, n);
    squares = fmadd(d, d, squares);
  });
  const A rstd = 1 / std::sqrt(sum_of_lanes(squares) / c + in.eps);
  in.moments[2 * row] = mean;
  in.moments[2 * row + 1] = rstd;
  const A* factor = in.factor ? in.factor + sample * in.next_factor : nullptr;
  const A* offset = in.factor ? in.offset + sample * in.next_factor : nullptr;
  Y* y = row_of(in.y, row, c);
  for_each_vector<T>(c, [&](auto full, int64_t i, int64_t n) {
    auto v = (load<full.value>(x + i, n) - V(mean)) * V(rstd);
    if (factor) {
      v = fmadd(v, load<full.value>(factor + i, n), load<full.value>(offset + i, n));
    }
    store(y + i, v, n);
  });
}

template <typename T, typename U, typename Y, typename A>
void layer_norm_loop(const NormInput<T, U, Y, A>& in) {
  const int64_t channels = in.shape.channels, rows = in.shape.batch * in.shape.tokens;
  parallel_for(0, rows, rows_per_thread(channels), [&](int64_t row, int64_t end) {
    std::vector<A> sum(in.update ? channels : 0);
    for (; row < end; ++row) {
      if (in.update) {
        add_update(in, row, sum.data());
        normalize(in, row, static_cast<const A*>(sum.data()));
      } else {
        normalize(in, row, in.x + row * channels);
      }
    }
  });
}

// Where a part of a sample adds up the gradients of vectors; null where not wanted.
template <typename A>
struct PartSums {
  A *factor, *offset, *gate;
};

template <typename T, typename U, typename Y, typename A>
void backward_row(const NormGradients<T, U, Y, A>& g, int64_t row, const PartSums<A>& sums) {
  using V = Vec<T>;
  const int64_t c = g.shape.channels, sample = row / g.shape.tokens;
  const T *x = row_of(g.x, row, c), *grad_sum = row_of(g.grad_sum, row, c);
  const Y* grad = row_of(g.grad, row, c);
  const A* factor = g.factor ? g.factor + sample * g.next_factor : nullptr;
  const A mean = g.normalized ? 0 : g.moments[2 * row], rstd = g.moments[2 * row + 1];
  const A by = g.normalized ? 1 : rstd;
  const auto normalized = [&](const V& v) { return (v - V(mean)) * V(by); };
  V total(0), product(0);
  for_each_vector<T>(c, [&](auto full, int64_t i, int64_t n) {
    const auto dy = load<full.value>(grad + i, n), v = normalized(load<full.value>(x + i, n));
    const auto dn = factor ? dy * load<full.value>(factor + i, n) : dy;
    total = total + dn;
    product = fmadd(dn, v, product);
    if (!factor) return;
    store(sums.factor + i, fmadd(dy, v, load<full.value>(sums.factor + i, n)), n);
    store(sums.offset + i, dy + load<full.value>(sums.offset + i, n), n);
  });
  const V first(sum_of_lanes(total) / c), second(-sum_of_lanes(product) / c);
  T* grad_x = row_of(g.grad_x, row, c);
  const U* update = row_of(g.update, row, c);
  U* grad_update = row_of(g.grad_update, row, c);
  const A* gate = row_of(g.gate, sample, c);
  for_each_vector<T>(c, [&](auto full, int64_t i, int64_t n) {
    const auto dy = load<full.value>(grad + i, n), v = normalized(load<full.value>(x + i, n));
    const auto dn = factor ? dy * load<full.value>(factor + i, n) : dy;
    auto dx = fmadd(v, second, dn - first) * V(rstd);
    if (grad_sum) dx = dx + load<full.value>(grad_sum + i, n);
    store(grad_x + i, dx, n);
    if (grad_update) {
      store(grad_update + i, gate ? dx * load<full.value>(gate + i, n) : dx, n);
    }
    if (!update) return;
    store(sums.gate + i,
          fmadd(dx, load<full.value>(update + i, n), load<full.value>(sums.gate + i, n)), n);
  });
}

// The parts are the same for any number of threads, and with them the order of the sums.
template <typename T, typename U, typename Y, typename A>
void layer_norm_backward_loop(const NormGradients<T, U, Y, A>& g) {
  const auto& s = g.shape;
  const int64_t parts = s.parts();
  const auto zeros = [&](A* sums, int64_t part) {
    A* at = row_of(sums, part, s.channels);
    if (at) std::fill_n(at, s.channels, A(0));
    return at;
  };
  parallel_for(0, s.batch * parts, rows_per_thread(s.channels * kNormPart),
               [&](int64_t part, int64_t last) {
                 for (; part < last; ++part) {
                   const PartSums<A> sums{zeros(g.factor_sums, part), zeros(g.offset_sums, part),
                                          zeros(g.gate_sums, part)};
                   const int64_t sample = part / parts, first = part % parts * kNormPart;
                   const int64_t end = std::min(first + kNormPart, s.tokens);
                   for (int64_t token = first; token < end; ++token) {
                     backward_row(g, sample * s.tokens + token, sums);
                   }
                 }
               });
}

}  // namespace
}  // namespace wf
