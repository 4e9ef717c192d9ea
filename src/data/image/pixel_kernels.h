#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wf {

/// The weights of one pass of a resize, in 22 bits of fraction. Output i is the sum of the inputs
/// [first, first + count) of window i, weighted by its row of `values`.
struct ResizeWeights {
  static constexpr int kBits = 22;  // 32 less 8 of pixel and 2 for sums beyond 1 (bicubic)
  struct Window {
    int first, count;
  };
  std::vector<Window> windows;
  std::vector<int32_t> values;  ///< `stride` per window, zero beyond count
  int stride = 0;               ///< a multiple of 4

  /// The same for vector units, which multiply pairs of 16 bits: for the weights v and w of two
  /// neighbors (v >> 11, w >> 11) and (v & 2047, w & 2047). 2 * stride numbers per window.
  std::vector<int16_t> halves;

  static constexpr int kLow = 11;  // bits of the lower half
  void set(size_t at, int32_t value) {
    values[at] = value;
    int16_t* pair = &halves[at / 2 * 4 + at % 2];
    pair[0] = static_cast<int16_t>(value >> kLow);
    pair[2] = static_cast<int16_t>(value & ((1 << kLow) - 1));
  }
};

/// The inner loops of the loader. Every set gives the same bytes.
struct PixelKernels {
  /// RGB rows that begin with pixel `skipped` of those that the windows count.
  struct Rows {
    const uint8_t* data;
    size_t stride;
    int count, width, skipped;
  };
  /// One row of a vertical pass: out[x] = sum over k < window.count of weight k times
  /// in[k * stride + x], rounded and clipped to 8 bits. x < bytes; `in` is at the window's first
  /// row.
  void (*resize_column)(const uint8_t* in, size_t stride, const ResizeWeights& weights, int window,
                        uint8_t* out, size_t bytes);
  /// A horizontal pass over RGB rows, packed in `out`: the windows first … first + count - 1 of
  /// each. No byte beyond the last row's end is read.
  void (*resize_rows)(const Rows& in, const ResizeWeights& weights, int first, int count,
                      uint8_t* out);
};

const PixelKernels& portable_kernels();
/// AVX2 where the processor has it.
const PixelKernels& best_kernels();

}  // namespace wf
