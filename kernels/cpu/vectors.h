// Vectors of channels: loaded from any dtype, computed in float32 (or double), stored back.
#pragma once

#include "core/parallel.h"

#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace wf {
inline namespace CPU_CAPABILITY {

using at::parallel_for;

template <typename T>
using Accumulate = std::conditional_t<std::is_same_v<T, double>, double, float>;
template <typename T>
using Vec = at::vec::Vectorized<Accumulate<T>>;

template <typename A>
inline A sum_of_lanes(const at::vec::Vectorized<A>& v) {
  return at::vec::vec_reduce_all(
      [](const at::vec::Vectorized<A>& a, const at::vec::Vectorized<A>& b) { return a + b; }, v);
}
/// The first `count` lanes, zero beyond.
template <typename A>
inline at::vec::Vectorized<A> first_lanes(const at::vec::Vectorized<A>& v, int64_t count) {
  return at::vec::Vectorized<A>::set(at::vec::Vectorized<A>(0), v, count);
}

/// Lanes beyond `count` are zero. kFullVector promises that there are none.
template <bool kFullVector, typename T>
inline Vec<T> load(const T* from, int64_t count) {
  if constexpr (std::is_same_v<T, Accumulate<T>>) {
    return kFullVector ? Vec<T>::loadu(from) : Vec<T>::loadu(from, count);
  } else {
    Vec<T> out;
    if constexpr (kFullVector) {
      at::vec::load_to_float<T>(from, out);
    } else {
      // The load below reads a full vector, which may reach beyond the end.
      T copy[Vec<T>::size()] = {};
      std::copy_n(from, count, copy);
      at::vec::load_to_float<T>(copy, out);
    }
    return out;
  }
}

template <typename T>
inline void store(T* to, const Vec<T>& value, int64_t count) {
  if constexpr (std::is_same_v<T, Accumulate<T>>) {
    value.store(to, static_cast<int>(count));
  } else {
    at::vec::convert_from_float<T>(value, value).store(to, static_cast<int>(count));
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace wf
