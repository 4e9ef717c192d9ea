// What kernels/cpu/vectors.h offers, without ATen, which the stable ABI excludes: vectors of the
// compiler.
#pragma once

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace wf {
inline namespace CPU_CAPABILITY {

using torch::stable::parallel_for;

// GCC drops the attribute of a type that depends on a template parameter.
template <typename A>
struct Register;
template <>
struct Register<float> {
  typedef float Values __attribute__((vector_size(WF_VECTOR_BYTES)));
};
template <>
struct Register<double> {
  typedef double Values __attribute__((vector_size(WF_VECTOR_BYTES)));
};

/// As many numbers as a register of WF_VECTOR_BYTES holds.
template <typename A>
struct Lanes {
  static constexpr int64_t kSize = WF_VECTOR_BYTES / sizeof(A);
  using Values = typename Register<A>::Values;

  Values values;

  Lanes() : values{} {}
  Lanes(A value) : values(Values{} + value) {}  // NOLINT: at::vec converts too
  Lanes(Values v) : values(v) {}

  static constexpr int64_t size() { return kSize; }

  Lanes sqrt() const {
    Lanes out;
    for (int64_t i = 0; i < kSize; ++i) out.values[i] = std::sqrt(values[i]);
    return out;
  }
  /// b where the mask is set, else a.
  template <typename Mask>
  static Lanes blendv(const Lanes& a, const Lanes& b, const Mask& mask) {
    return mask ? b.values : a.values;
  }

  friend Lanes operator+(const Lanes& a, const Lanes& b) { return a.values + b.values; }
  friend Lanes operator-(const Lanes& a, const Lanes& b) { return a.values - b.values; }
  friend Lanes operator*(const Lanes& a, const Lanes& b) { return a.values * b.values; }
  friend Lanes operator/(const Lanes& a, const Lanes& b) { return a.values / b.values; }
  friend auto operator==(const Lanes& a, const Lanes& b) { return a.values == b.values; }
  friend Lanes fmadd(const Lanes& a, const Lanes& b, const Lanes& c) {
    return a.values * b.values + c.values;  // contracted where the processor can
  }
  friend Lanes maximum(const Lanes& a, const Lanes& b) {
    // As at::vec: not a number stays so.
    return (a.values > b.values) | (a.values != a.values) ? a.values : b.values;
  }
};

template <typename T>
using Accumulate = std::conditional_t<std::is_same_v<T, double>, double, float>;
template <typename T>
using Vec = Lanes<Accumulate<T>>;

template <typename A>
inline A sum_of_lanes(const Lanes<A>& v) {
  A sums[Lanes<A>::kSize];
  std::memcpy(sums, &v.values, sizeof(sums));
  for (int64_t half = Lanes<A>::kSize / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}
/// The first `count` lanes, zero beyond.
template <typename A>
inline Lanes<A> first_lanes(const Lanes<A>& v, int64_t count) {
  Lanes<A> out;
  std::memcpy(&out.values, &v.values, sizeof(A) * count);
  return out;
}

/// Lanes beyond `count` are zero. kFullVector promises that there are none.
template <bool kFullVector, typename T>
inline Vec<T> load(const T* from, int64_t count) {
  Vec<T> out;
  if constexpr (std::is_same_v<T, Accumulate<T>>) {
    std::memcpy(&out.values, from, sizeof(T) * (kFullVector ? Vec<T>::size() : count));
  } else {
    const int64_t n = kFullVector ? Vec<T>::size() : count;
    for (int64_t i = 0; i < n; ++i) out.values[i] = static_cast<float>(from[i]);
  }
  return out;
}

template <typename T>
inline void store(T* to, const Vec<T>& value, int64_t count) {
  if constexpr (std::is_same_v<T, Accumulate<T>>) {
    std::memcpy(to, &value.values, sizeof(T) * count);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<T>(value.values[i]);
  }
}

}  // namespace CPU_CAPABILITY
}  // namespace wf
