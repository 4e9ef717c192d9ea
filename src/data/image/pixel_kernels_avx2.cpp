// The sums of 8-bit pixels with 22-bit weights, exact, by multiplying pairs of 16 bits: a weight is
// split as w = 2^11 high + low, both halves are summed separately, and combined at the end. That is
// twice as fast as 32-bit multiplications, which take two steps on most processors.
#include "data/image/pixel_kernels_avx2.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

#define WF_AVX2 __attribute__((target("avx2")))

namespace wf {
namespace {

constexpr int kBits = ResizeWeights::kBits;
constexpr int kLow = ResizeWeights::kLow;

// Sums of low halves: 2^11 * 255 * taps + 2^21 must stay below 2^31.
constexpr int kMostTaps = 4096;

struct Sums {
  __m256i high, low;
};

WF_AVX2 inline void add(Sums& sums, __m256i pixels, const int16_t* halves) {
  int32_t high, low;
  std::memcpy(&high, halves, 4);
  std::memcpy(&low, halves + 2, 4);
  sums.high = _mm256_add_epi32(sums.high, _mm256_madd_epi16(pixels, _mm256_set1_epi32(high)));
  sums.low = _mm256_add_epi32(sums.low, _mm256_madd_epi16(pixels, _mm256_set1_epi32(low)));
}

// The low half begins with what rounds.
WF_AVX2 inline Sums no_sums() {
  return {_mm256_setzero_si256(), _mm256_set1_epi32(1 << (kBits - 1))};
}

// Not yet clipped.
WF_AVX2 inline __m256i finish(const Sums& sums) {
  return _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(sums.high, kLow), sums.low), kBits);
}

// 16 columns: sums[0] holds 0–3 and 8–11, sums[1] the others.
WF_AVX2 inline void add_rows(Sums* sums, const uint8_t* a, const uint8_t* b,
                             const int16_t* halves) {
  const __m256i above = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
  const __m256i below = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  add(sums[0], _mm256_unpacklo_epi16(above, below), halves);
  add(sums[1], _mm256_unpackhi_epi16(above, below), halves);
}

template <int kBlocks>
WF_AVX2 inline void columns(const uint8_t* in, size_t stride, int count, const int16_t* halves,
                            uint8_t* out) {
  Sums sums[2 * kBlocks];
  for (auto& sum : sums) sum = no_sums();
  for (int k = 0; k < count; k += 2, in += 2 * stride, halves += 4) {
    // A window of an odd count has a weight of zero beyond its end, where there may be no row.
    const uint8_t* next = k + 1 < count ? in + stride : in;
    for (int i = 0; i < kBlocks; ++i) add_rows(sums + 2 * i, in + 16 * i, next + 16 * i, halves);
  }
  for (int i = 0; i < kBlocks; ++i) {
    const __m256i words = _mm256_packs_epi32(finish(sums[2 * i]), finish(sums[2 * i + 1]));
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * i), bytes);
  }
}

WF_AVX2 void resize_column(const uint8_t* in, size_t stride, const ResizeWeights& weights,
                           int window, uint8_t* out, size_t bytes) {
  const int count = weights.windows[window].count;
  if (bytes < 16 || count > kMostTaps) {
    return portable_kernels().resize_column(in, stride, weights, window, out, bytes);
  }
  const int16_t* halves = &weights.halves[static_cast<size_t>(window) * weights.stride * 2];
  size_t x = 0;
  for (; x + 32 <= bytes; x += 32) columns<2>(in + x, stride, count, halves, out + x);
  for (; x + 16 <= bytes; x += 16) columns<1>(in + x, stride, count, halves, out + x);
  if (x < bytes) columns<1>(in + bytes - 16, stride, count, halves, out + bytes - 16);
}

// A row in each half of a vector.
WF_AVX2 inline __m256i load_two(const uint8_t* a, const uint8_t* b) {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), 1);
}

// The fourth byte of a pixel that is not the last of its row is overwritten by the next pixel.
inline void store_pixel(uint8_t* out, int32_t pixel, bool last) {
  last ? std::memcpy(out, &pixel, 3) : std::memcpy(out, &pixel, 4);
}

// Four rows, which must be readable kBeyond bytes after the pixels they have.
struct FourRows {
  const uint8_t* in[4];
  uint8_t* out[4];
};

// A window may reach three pixels (of no weight) and a load four bytes beyond a row.
constexpr size_t kBeyond = 3 * 3 + 4;

WF_AVX2 void resize_four(const FourRows& rows, const ResizeWeights& weights, int first, int count,
                         int skipped) {
  constexpr char x = -1;  // becomes a zero
  const __m256i two_pixels = _mm256_setr_epi8(0, x, 3, x, 1, x, 4, x, 2, x, 5, x, x, x, x, x,  //
                                              0, x, 3, x, 1, x, 4, x, 2, x, 5, x, x, x, x, x);
  const __m256i next_two = _mm256_setr_epi8(6, x, 9, x, 7, x, 10, x, 8, x, 11, x, x, x, x, x,  //
                                            6, x, 9, x, 7, x, 10, x, 8, x, 11, x, x, x, x, x);
  const auto* in = rows.in;
  for (int i = 0; i < count; ++i) {
    const auto [begin, taps] = weights.windows[first + i];
    const int16_t* halves = &weights.halves[(static_cast<size_t>(first) + i) * weights.stride * 2];
    Sums upper = no_sums(), lower = upper;
    size_t at = static_cast<size_t>(begin - skipped) * 3;
    for (int k = 0; k < taps; k += 4, at += 12, halves += 8) {
      const __m256i a = load_two(in[0] + at, in[1] + at), b = load_two(in[2] + at, in[3] + at);
      add(upper, _mm256_shuffle_epi8(a, two_pixels), halves);
      add(lower, _mm256_shuffle_epi8(b, two_pixels), halves);
      add(upper, _mm256_shuffle_epi8(a, next_two), halves + 4);
      add(lower, _mm256_shuffle_epi8(b, next_two), halves + 4);
    }
    const __m256i words = _mm256_packs_epi32(finish(upper), finish(lower));
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const __m128i even = _mm256_castsi256_si128(bytes), odd = _mm256_extracti128_si256(bytes, 1);
    const size_t to = static_cast<size_t>(i) * 3;
    const bool last = i + 1 == count;
    store_pixel(rows.out[0] + to, _mm_cvtsi128_si32(even), last);
    store_pixel(rows.out[1] + to, _mm_cvtsi128_si32(odd), last);
    store_pixel(rows.out[2] + to, _mm_extract_epi32(even, 1), last);
    store_pixel(rows.out[3] + to, _mm_extract_epi32(odd, 1), last);
  }
}

void resize_rows(const PixelKernels::Rows& in, const ResizeWeights& weights, int first, int count,
                 uint8_t* out) {
  if (weights.stride > kMostTaps) {
    return portable_kernels().resize_rows(in, weights, first, count, out);
  }
  const size_t row_bytes = static_cast<size_t>(in.width) * 3, room = row_bytes + kBeyond;
  std::vector<uint8_t> copies;
  for (int y = 0; y < in.count; y += 4) {
    const int last = std::min(y + 3, in.count - 1);
    FourRows rows;
    for (int i = 0; i < 4; ++i) {
      const size_t row =
          std::min(y + i, last);  // the last row again when there are fewer than four
      rows.in[i] = in.data + row * in.stride;
      rows.out[i] = out + row * count * 3;
    }
    // Reading into the next row is harmless; the last rows are read from padded copies.
    if ((in.count - 1 - last) * in.stride < kBeyond) {
      copies.assign(4 * room, 0);
      for (int i = 0; i < 4; ++i) {
        rows.in[i] = std::copy_n(rows.in[i], row_bytes, &copies[i * room]) - row_bytes;
      }
    }
    resize_four(rows, weights, first, count, in.skipped);
  }
}

constexpr PixelKernels kKernels{resize_column, resize_rows};

}  // namespace

const PixelKernels* avx2_kernels() { return __builtin_cpu_supports("avx2") ? &kKernels : nullptr; }

}  // namespace wf

#else

namespace wf {

const PixelKernels* avx2_kernels() { return nullptr; }

}  // namespace wf

#endif
