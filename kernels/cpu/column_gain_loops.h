// The loops of column_gain between its matrix products, over any vectors of columns.
#pragma once

#include "kernels/cpu/loop_vectors.h"
#include "ops/column_gain_params.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace wf {
namespace {

// visit(full, sample, first column, columns) for every vector of columns, on all threads.
template <typename T, typename Visit>
void for_each_strip(const ColumnGainShape& s, Visit visit) {
  constexpr int64_t kSize = Vec<T>::size();
  const int64_t strips = (s.columns + kSize - 1) / kSize;
  parallel_for(0, s.batch * strips, rows_per_thread(s.rows * kSize), [&](int64_t i, int64_t end) {
    for (; i < end; ++i) {
      const int64_t first = i % strips * kSize, count = std::min(kSize, s.columns - first);
      if (count == kSize) {
        visit(std::true_type(), i / strips, first, count);
      } else {
        visit(std::false_type(), i / strips, first, count);
      }
    }
  });
}

template <typename T>
void gain(const T* right, const Accumulate<T>* product, T* gained, Accumulate<T>* norm,
          Accumulate<T> scale, const ColumnGainShape& s) {
  for_each_strip<T>(s, [&](auto full, int64_t b, int64_t first, int64_t count) {
    const int64_t base = b * s.rows * s.columns + first;
    Vec<T> square(0);
    for (int64_t r = 0; r < s.rows; ++r) {
      const int64_t at = base + r * s.columns;
      square =
          fmadd(load<full.value>(right + at, count), load<full.value>(product + at, count), square);
    }
    // Rounding may leave a little below zero.
    const auto nu = maximum(square, Vec<T>(0)).sqrt() * Vec<T>(scale);
    const auto factor = Vec<T>(1) / (nu + Vec<T>(1));
    store(norm + b * s.columns + first, nu, count);
    for (int64_t r = 0; r < s.rows; ++r) {
      const int64_t at = base + r * s.columns;
      store(gained + at, load<full.value>(right + at, count) * factor, count);
    }
  });
}

template <typename T>
void gain_backward(const T* grad, const T* right, const Accumulate<T>* product,
                   const Accumulate<T>* norm, T* grad_right, Accumulate<T>* weighted,
                   Accumulate<T> scale, const ColumnGainShape& s) {
  for_each_strip<T>(s, [&](auto full, int64_t b, int64_t first, int64_t count) {
    const int64_t base = b * s.rows * s.columns + first;
    Vec<T> dot(0);
    for (int64_t r = 0; r < s.rows; ++r) {
      const int64_t at = base + r * s.columns;
      dot = fmadd(load<full.value>(right + at, count), load<full.value>(grad + at, count), dot);
    }
    const auto nu = load<full.value>(norm + b * s.columns + first, count);
    const auto factor = Vec<T>(1) / (nu + Vec<T>(1));
    // gained = right * factor(ν) gives dν = -dot / (1 + ν)²; a = scale² dν / (2ν), 0 at ν = 0.
    const auto d_nu = dot * factor * factor * Vec<T>(-1);
    const auto a =
        Vec<T>::blendv(d_nu * Vec<T>(scale * scale / 2) / nu, Vec<T>(0), nu == Vec<T>(0));
    for (int64_t r = 0; r < s.rows; ++r) {
      const int64_t at = base + r * s.columns;
      const auto inner = load<full.value>(product + at, count) * a * Vec<T>(2);
      store(grad_right + at, fmadd(load<full.value>(grad + at, count), factor, inner), count);
      store(weighted + at, load<full.value>(right + at, count) * a, count);
    }
  });
}

}  // namespace
}  // namespace wf
