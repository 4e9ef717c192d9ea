// Warps of an image. The source is copied with its border repeated two pixels around, so that the
// inner loops need no border checks; a pixel's three channels and a spare one are one vector.

#include "data/image/image_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace wf {
namespace {

constexpr int kPad = 2;  // reach of the bicubic filter beyond the border

using Pixel = float __attribute__((vector_size(16)));
// A pixel is loaded with one byte of the next, and stored without.
#if defined(__SSE2__)
inline Pixel load(const uint8_t* from) {
  int32_t bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  const __m128i zero = _mm_setzero_si128();
  const __m128i words = _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), zero);
  return _mm_cvtepi32_ps(_mm_unpacklo_epi16(words, zero));
}

inline void store(uint8_t* to, Pixel value) {
  const __m128i whole = _mm_cvttps_epi32(value);
  const __m128i words = _mm_packs_epi32(whole, whole);
  const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));  // clamps
  std::memcpy(to, &bytes, 2);
  to[2] = static_cast<uint8_t>(bytes >> 16);
}
#else
inline Pixel load(const uint8_t* from) {
  return Pixel{float(from[0]), float(from[1]), float(from[2]), float(from[3])};
}

inline void store(uint8_t* to, Pixel value) {
  for (int c = 0; c < 3; ++c) {
    to[c] = static_cast<uint8_t>(static_cast<int>(std::min(std::max(value[c], 0.0f), 255.0f)));
  }
}
#endif

// Keys 1981 with a = -1, between b and c, in Pillow's order of operations.
template <typename T>
inline T cubic(T a, T b, T c, T d, float at) {
  const T p2 = c - a, p3 = 2 * (a - b) + c - d, p4 = b - a - c + d;
  return b + at * (p2 + at * (p3 + at * p4));
}

template <typename T>
inline T linear(T a, T b, float at) {
  return a + (b - a) * at;
}

// The image with its border repeated.
struct Padded {
  const uint8_t* origin;  // pixel (0, 0)
  std::ptrdiff_t stride;
};

Padded pad(const Image& image) {
  static thread_local std::vector<uint8_t> memory;
  const int width = image.width + 2 * kPad, height = image.height + 2 * kPad;
  const size_t stride = static_cast<size_t>(width) * 3, row = static_cast<size_t>(image.width) * 3;
  memory.resize(stride * height + 1);  // a pixel is loaded with one byte more
  for (int y = 0; y < height; ++y) {
    uint8_t* to = &memory[y * stride];
    const uint8_t* from = &image.pixels[std::clamp(y - kPad, 0, image.height - 1) * row];
    std::memcpy(to + kPad * 3, from, row);
    for (int x = 0; x < kPad; ++x) {
      std::memcpy(to + x * 3, from, 3);
      std::memcpy(to + kPad * 3 + row + x * 3, from + row - 3, 3);
    }
  }
  return {&memory[kPad * stride + kPad * 3], static_cast<std::ptrdiff_t>(stride)};
}

// `p`: the pixel to the left of and above the position, which is (dx, dy) further.
template <bool kCubic, bool kHorizontal>
inline Pixel sample(const uint8_t* p, std::ptrdiff_t stride, float dx, float dy) {
  const auto across = [dx](const uint8_t* q) {
    if constexpr (!kHorizontal) {
      return load(q);
    } else if constexpr (kCubic) {
      return cubic(load(q - 3), load(q), load(q + 3), load(q + 6), dx);
    } else {
      return linear(load(q), load(q + 3), dx);
    }
  };
  if constexpr (kCubic) {
    return cubic(across(p - stride), across(p), across(p + stride), across(p + 2 * stride), dy);
  } else {
    return linear(across(p), across(p + stride), dy);
  }
}

// int(floor(value)) for a value of at least -1.
inline int floor_from_minus_one(double value) { return static_cast<int>(value + 1) - 1; }

template <bool kCubic, bool kHorizontal>
void warp_pixels(Image& image, const std::array<double, 6>& m, const Color& fill) {
  const auto [origin, stride] = pad(image);
  const double width = image.width, height = image.height;
  uint8_t* out = image.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    const double yc = y + 0.5;
    for (int x = 0; x < image.width; ++x, out += 3) {
      const double xc = x + 0.5;
      const double from_x = m[0] * xc + m[1] * yc + m[2], from_y = m[3] * xc + m[4] * yc + m[5];
      if (!(from_x >= 0 && from_x < width && from_y >= 0 && from_y < height)) {
        std::copy(fill.begin(), fill.end(), out);
        continue;
      }
      const int left = floor_from_minus_one(from_x - 0.5), top = floor_from_minus_one(from_y - 0.5);
      store(out, sample<kCubic, kHorizontal>(origin + top * stride + std::ptrdiff_t{left} * 3,
                                             stride, static_cast<float>(from_x - 0.5 - left),
                                             static_cast<float>(from_y - 0.5 - top)));
    }
  }
}

// One direction and one distance for a complete row: the bytes need not be taken pixel by pixel.
// `step`: from a byte to the next of its channel in that direction.
template <bool kCubic>
void filter_row(uint8_t* __restrict out, const uint8_t* p, std::ptrdiff_t step, size_t count,
                float at) {
  for (size_t i = 0; i < count; ++i, ++p) {
    float value = 0;
    if constexpr (kCubic) {
      value = cubic<float>(p[-step], p[0], p[step], p[2 * step], at);
    } else {
      value = linear<float>(p[0], p[step], at);
    }
    out[i] = static_cast<uint8_t>(static_cast<int>(std::min(std::max(value, 0.0f), 255.0f)));
  }
}

void fill_pixels(uint8_t* out, int count, const Color& fill) {
  for (int x = 0; x < count; ++x) std::copy(fill.begin(), fill.end(), out + 3 * x);
}

// Row y is shifted by shear * y + shift pixels.
template <bool kCubic>
void slide_rows(Image& image, double shear, double shift, const Color& fill) {
  const auto [origin, stride] = pad(image);
  const int width = image.width;
  const auto clamped = [&](double x) {
    return static_cast<int>(std::clamp(x, 0.0, double(width)));
  };
  uint8_t* out = image.pixels.data();
  for (int y = 0; y < image.height; ++y, out += static_cast<size_t>(width) * 3) {
    const double distance = shear * (y + 0.5) + shift, whole = std::floor(distance);
    // Those of a center in 0 … width.
    const int first = clamped(std::ceil(-0.5 - distance));
    const int last = std::max(first, clamped(std::ceil(width - 0.5 - distance)));
    fill_pixels(out, first, fill);
    if (first < last) {
      const auto from = first + static_cast<std::ptrdiff_t>(whole);
      filter_row<kCubic>(out + 3 * first, origin + y * stride + 3 * from, 3,
                         static_cast<size_t>(last - first) * 3,
                         static_cast<float>(distance - whole));
    }
    fill_pixels(out + 3 * last, width - last, fill);
  }
}

// All rows are shifted by `shift` pixels.
template <bool kCubic>
void slide_columns(Image& image, double shift, const Color& fill) {
  const auto [origin, stride] = pad(image);
  const double whole = std::floor(shift);
  const size_t row = static_cast<size_t>(image.width) * 3;
  uint8_t* out = image.pixels.data();
  for (int y = 0; y < image.height; ++y, out += row) {
    const double center = y + 0.5 + shift;
    if (!(center >= 0 && center < image.height)) {
      fill_pixels(out, image.width, fill);
      continue;
    }
    filter_row<kCubic>(out, origin + (y + static_cast<std::ptrdiff_t>(whole)) * stride, stride, row,
                       static_cast<float>(shift - whole));
  }
}

template <bool kCubic>
void warp(Image& image, const std::array<double, 6>& m, const Color& fill) {
  const bool columns_stay = m[0] == 1 && m[1] == 0 && m[2] == 0;
  if (m[0] == 1 && m[3] == 0 && m[4] == 1 && m[5] == 0) {
    slide_rows<kCubic>(image, m[1], m[2], fill);
  } else if (columns_stay && m[3] == 0 && m[4] == 1) {
    slide_columns<kCubic>(image, m[5], fill);
  } else if (columns_stay) {  // at a pixel's center a filter gives the pixel
    warp_pixels<kCubic, false>(image, m, fill);
  } else {
    warp_pixels<kCubic, true>(image, m, fill);
  }
}

}  // namespace

void affine(Image& image, const std::array<double, 6>& abcdef, const WarpOptions& options) {
  if (image.pixels.empty()) return;
  if (options.interpolation == Interpolation::bicubic) {
    warp<true>(image, abcdef, options.fill);
  } else {
    warp<false>(image, abcdef, options.fill);
  }
}

void rotate(Image& image, double degrees, const WarpOptions& options) {
  constexpr double kPi = 3.14159265358979323846;
  if (std::fmod(degrees, 360) == 0) return;
  const double angle = -degrees * kPi / 180;
  const auto rounded = [](double value) { return std::round(value * 1e15) / 1e15; };
  const double cos = rounded(std::cos(angle)), sin = rounded(std::sin(angle));
  const double x = image.width / 2.0, y = image.height / 2.0;
  affine(image, {cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y}, options);
}

}  // namespace wf
