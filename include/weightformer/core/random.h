// Counter-based random numbers: a draw depends only on its key, never on earlier draws, so results
// do not depend on the number of workers, processes or restarts.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <utility>
#include <vector>

namespace wf {

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014, variant 13): mixes all 64 bits.
constexpr uint64_t mix64(uint64_t z) {
  z ^= z >> 30;
  z *= 0xBF58476D1CE4E5B9ull;
  z ^= z >> 27;
  z *= 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// A stream of random numbers named by a key such as (seed, epoch, sample).
class CounterRng {
 public:
  explicit CounterRng(std::initializer_list<uint64_t> key) {
    for (uint64_t word : key) state_ = mix64(state_ + kStep + mix64(word + kStep));
  }

  /// The n-th number that next() gives, from 1, is mix64(state() + n * kStep).
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15ull;
  uint64_t state() const { return state_; }

  uint64_t next() { return mix64(state_ += kStep); }
  /// In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// In [0, count); count > 0. The bias is below count / 2^64.
  int64_t below(int64_t count) {
    return static_cast<int64_t>((static_cast<unsigned __int128>(next()) * count) >> 64);
  }
  /// Standard normal, by Box and Muller (1958); the second value is not kept.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

 private:
  uint64_t state_ = 0;
};

/// 0 … count-1 in an order drawn from `rng` (Fisher and Yates).
inline std::vector<int64_t> permutation(int64_t count, CounterRng rng) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = count - 1; i > 0; --i) std::swap(order[i], order[rng.below(i + 1)]);
  return order;
}

}  // namespace wf
