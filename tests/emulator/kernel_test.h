// Shared by the tests of emulated kernels: buffers, launches, and the comparison with plain loops
// over double, which each test defines for its operator.
#pragma once

#include "support/cuda_emulator.h"
// First the emulator, then device code.
#include "kernels/cuda/pack.cuh"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace wf::testing {

using Numbers = std::vector<double>;

/// The grid of [B, height * width, C].
struct Tokens {
  int batch, height, width, channels;

  size_t size() const { return static_cast<size_t>(batch) * height * width * channels; }
  size_t operator()(int b, int row, int column, int c) const {
    return ((static_cast<size_t>(b) * height + row) * width + column) * channels + c;
  }
  bool has(int row, int column) const {
    return row >= 0 && row < height && column >= 0 && column < width;
  }
};

template <class Visit>
void for_each_token(const Tokens& t, Visit visit) {
  for (int b = 0; b < t.batch; ++b) {
    for (int row = 0; row < t.height; ++row) {
      for (int column = 0; column < t.width; ++column) {
        for (int c = 0; c < t.channels; ++c) visit(b, row, column, c);
      }
    }
  }
}

using KernelTypes = ::testing::Types<float, double, c10::Half, c10::BFloat16>;
struct KernelTypeNames {
  template <class T>
  static std::string GetName(int i) {
    const char* names[] = {"Float", "Double", "Half", "BFloat16"};
    return names[i];
  }
};

/// launch(kernel, shape, params...), as expected by the launchers of kernels/cuda/.
inline constexpr auto emulate = [](auto kernel, const cuda::LaunchShape& shape,
                                   const auto&... params) {
  emulator::launch(kernel, static_cast<unsigned>(shape.blocks), shape.block, 0, params...);
};

/// Exactly as large as its numbers, so that AddressSanitizer detects every access outside. Outputs
/// begin as NaN, which no comparison accepts.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t size, size_t offset = 0)
      : numbers_(size + offset, static_cast<T>(std::numeric_limits<float>::quiet_NaN())),
        offset_(offset) {}
  /// With `offset` the numbers begin so many places into the memory, which is aligned to 16 bytes.
  explicit Buffer(const Numbers& values, size_t offset = 0) : Buffer(values.size(), offset) {
    for (size_t i = 0; i < values.size(); ++i) data()[i] = static_cast<T>(values[i]);
  }

  T* data() { return numbers_.data() + offset_; }
  T* data_or_null() { return size() > 0 ? data() : nullptr; }
  size_t size() const { return numbers_.size() - offset_; }
  Numbers values() const { return Numbers(numbers_.begin() + offset_, numbers_.end()); }

 private:
  std::vector<T> numbers_;
  size_t offset_;
};

/// How often a kernel reads and writes the numbers of a buffer, on average, while this exists.
class Traffic {
 public:
  template <class T>
  explicit Traffic(Buffer<T>& buffer)
      : bytes_(buffer.size() * sizeof(T)), watch_(buffer.data(), bytes_) {}

  double reads() const { return static_cast<double>(watch_.loaded()) / bytes_; }
  double writes() const { return static_cast<double>(watch_.stored()) / bytes_; }

 private:
  size_t bytes_;
  emulator::Watch watch_;
};

/// Numbers in [-1, 1) that T holds exactly.
template <class T>
Numbers random_numbers(size_t count, uint32_t seed) {
  Numbers out(count);
  for (double& value : out) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<double>(static_cast<T>((seed >> 8) / double{1 << 23} - 1));
  }
  return out;
}

/// Half a unit in the last place of what T holds, and a little for the order of sums.
template <class T>
constexpr double kTolerance = std::is_same_v<T, double>      ? 1e-13
                              : std::is_same_v<T, float>     ? 3e-6
                              : std::is_same_v<T, c10::Half> ? 6e-4
                                                             : 5e-3;

template <class T>
void expect_near(const Buffer<T>& got, const Numbers& expected, const std::string& what) {
  const Numbers values = got.values();
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (size_t i = 0; i < values.size(); ++i) {
    const double largest = kTolerance<T> * std::max(1.0, std::abs(expected[i]));
    ASSERT_LE(std::abs(values[i] - expected[i]), largest)
        << what << "[" << i << "]: " << values[i] << ", expected " << expected[i];
    ASSERT_FALSE(std::isnan(values[i])) << what << "[" << i << "]";
  }
}

/// `gradient` must be that of loss() for each of `numbers`, by central differences.
template <class Loss>
void expect_derivative(Numbers& numbers, const Numbers& gradient, Loss loss, const char* what) {
  ASSERT_EQ(numbers.size(), gradient.size()) << what;
  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double before = numbers[i];
    numbers[i] = before + kStep;
    const double above = loss();
    numbers[i] = before - kStep;
    const double below = loss();
    numbers[i] = before;
    ASSERT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-8) << what << "[" << i << "]";
  }
}

inline double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace wf::testing
