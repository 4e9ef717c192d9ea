#include "data/image/pixel_kernels.h"

#include "data/image/pixel_kernels_avx2.h"

#include <algorithm>
#include <cstring>

namespace wf {
namespace {

constexpr int kBits = ResizeWeights::kBits;

inline uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255));
}

void resize_column(const uint8_t* in, size_t stride, const ResizeWeights& weights, int window,
                   uint8_t* out, size_t bytes) {
  constexpr size_t kBlock = 256;  // its sums stay in the nearest cache
  const int count = weights.windows[window].count;
  const int32_t* w = &weights.values[static_cast<size_t>(window) * weights.stride];
  for (size_t begin = 0; begin < bytes; begin += kBlock) {
    const size_t size = std::min(kBlock, bytes - begin);
    int32_t sums[kBlock];
    std::fill_n(sums, size, 1 << (kBits - 1));
    for (int k = 0; k < count; ++k) {
      const uint8_t* row = in + k * stride + begin;
      for (size_t x = 0; x < size; ++x) sums[x] += row[x] * w[k];
    }
    for (size_t x = 0; x < size; ++x) out[begin + x] = to_byte(sums[x]);
  }
}

void resize_rows(const PixelKernels::Rows& in, const ResizeWeights& weights, int first, int count,
                 uint8_t* out) {
  for (int y = 0; y < in.count; ++y) {
    const uint8_t* row = in.data + y * in.stride;
    for (int i = first; i < first + count; ++i, out += 3) {
      const auto [begin, taps] = weights.windows[i];
      const int32_t* w = &weights.values[static_cast<size_t>(i) * weights.stride];
      const uint8_t* pixel = row + 3 * static_cast<size_t>(begin - in.skipped);
      int32_t r = 1 << (kBits - 1), g = r, b = r;
      for (int k = 0; k < taps; ++k, pixel += 3) {
        r += pixel[0] * w[k];
        g += pixel[1] * w[k];
        b += pixel[2] * w[k];
      }
      out[0] = to_byte(r);
      out[1] = to_byte(g);
      out[2] = to_byte(b);
    }
  }
}

}  // namespace

const PixelKernels& portable_kernels() {
  static constexpr PixelKernels kernels{resize_column, resize_rows};
  return kernels;
}

const PixelKernels& best_kernels() {
  static const PixelKernels* const best = avx2_kernels() ? avx2_kernels() : &portable_kernels();
  return *best;
}

}  // namespace wf
