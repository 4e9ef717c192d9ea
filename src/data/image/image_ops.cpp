#include "data/image/image_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace wf {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<uint32_t, 256>;

uint8_t clamp_byte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)); }

template <typename F>
Table make_table(F value) {
  Table table{};
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(value(i));
  return table;
}

void apply_table(Image& image, const Table& table) {
  for (auto& value : image.pixels) value = table[value];
}

void apply_table(Image& image, const std::array<Table, 3>& tables) {
  uint8_t* p = image.pixels.data();
  for (uint8_t* const end = p + image.pixels.size(); p < end; p += 3) {
    p[0] = tables[0][p[0]];
    p[1] = tables[1][p[1]];
    p[2] = tables[2][p[2]];
  }
}

std::array<Histogram, 3> histograms(const Image& image) {
  std::array<Histogram, 3> out{};
  const uint8_t* p = image.pixels.data();
  for (const uint8_t* const end = p + image.pixels.size(); p < end; p += 3) {
    ++out[0][p[0]];
    ++out[1][p[1]];
    ++out[2][p[2]];
  }
  return out;
}

// ITU-R 601-2 luma in 16 bits of fraction.
inline uint32_t luma(const uint8_t* p) {
  return (p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16;
}

// In float32 and truncated, as Image.blend.
inline uint8_t blend(int degenerate, int value, float factor) {
  const float mixed =
      static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return static_cast<uint8_t>(static_cast<int>(std::min(std::max(mixed, 0.0f), 255.0f)));
}

Table autocontrast_table(const Histogram& histogram) {
  int low = 0, high = 255;
  while (low < 255 && histogram[low] == 0) ++low;
  while (high > 0 && histogram[high] == 0) --high;
  if (high <= low) return make_table([](int i) { return i; });
  const double scale = 255.0 / (high - low), offset = -low * scale;
  return make_table([&](int i) { return clamp_byte(i * scale + offset); });
}

Table equalize_table(const Histogram& histogram) {
  uint64_t sum = 0, last = 0;
  for (uint32_t count : histogram) {
    sum += count;
    if (count) last = count;
  }
  const uint64_t step = (sum - last) / 255;
  if (step == 0) return make_table([](int i) { return i; });
  uint64_t seen = step / 2;
  return make_table([&](int i) {
    const uint64_t value = std::min<uint64_t>(seen / step, 255);
    seen += histogram[i];
    return value;
  });
}

// One pass of the extended box filter, radius + fraction wide, in 24 bits of fraction. The weights
// of the full pixels and of the two at the ends:
struct BoxFilter {
  int radius;
  uint32_t whole, ends;

  explicit BoxFilter(float width) : radius(static_cast<int>(width)) {
    whole = static_cast<uint32_t>(static_cast<float>(1u << 24) / (width * 2 + 1));
    ends = ((1u << 24) - static_cast<uint32_t>(radius * 2 + 1) * whole) / 2;
  }
  uint8_t operator()(uint32_t sum, uint32_t two) const {
    return static_cast<uint8_t>((sum * whole + two * ends + (1u << 23)) >> 24);
  }
};

float box_width(float sigma, int passes) {
  const float variance = sigma * sigma / static_cast<float>(passes);
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  return whole + fraction;
}

// Both passes repeat the outermost pixel beyond the border. `in` and `out` may not overlap.
void blur_row(const uint8_t* in, uint8_t* out, int width, const BoxFilter& box) {
  const auto at = [&](int x) { return in + 3 * std::clamp(x, 0, width - 1); };
  uint32_t sum[3] = {};
  for (int x = -box.radius - 1; x < box.radius; ++x) {
    for (int c = 0; c < 3; ++c) sum[c] += at(x)[c];
  }
  for (int x = 0; x < width; ++x, out += 3) {
    const uint8_t *left = at(x - box.radius - 1), *right = at(x + box.radius);
    const uint8_t* end = at(x + box.radius + 1);
    for (int c = 0; c < 3; ++c) {
      sum[c] += static_cast<uint32_t>(right[c]) - left[c];
      out[c] = box(sum[c], static_cast<uint32_t>(left[c]) + end[c]);
    }
  }
}

void blur_columns(const uint8_t* in, uint8_t* out, int height, size_t row, const BoxFilter& box) {
  static thread_local std::vector<uint32_t> sums;
  sums.assign(row, 0);
  const auto at = [&](int y) { return in + row * std::clamp(y, 0, height - 1); };
  for (int y = -box.radius - 1; y < box.radius; ++y) {
    const uint8_t* from = at(y);
    for (size_t x = 0; x < row; ++x) sums[x] += from[x];
  }
  uint32_t* sum = sums.data();
  for (int y = 0; y < height; ++y, out += row) {
    const uint8_t *above = at(y - box.radius - 1), *below = at(y + box.radius);
    const uint8_t* end = at(y + box.radius + 1);
    for (size_t x = 0; x < row; ++x) {
      sum[x] += static_cast<uint32_t>(below[x]) - above[x];
      out[x] = box(sum[x], static_cast<uint32_t>(above[x]) + end[x]);
    }
  }
}

}  // namespace

void autocontrast(Image& image) {
  const auto counts = histograms(image);
  apply_table(image,
              std::array<Table, 3>{autocontrast_table(counts[0]), autocontrast_table(counts[1]),
                                   autocontrast_table(counts[2])});
}

void equalize(Image& image) {
  const auto counts = histograms(image);
  apply_table(image, std::array<Table, 3>{equalize_table(counts[0]), equalize_table(counts[1]),
                                          equalize_table(counts[2])});
}

void invert(Image& image) {
  for (auto& value : image.pixels) value = static_cast<uint8_t>(255 - value);
}

void blend(Image& image, const Image& other, double share) {
  const auto factor = static_cast<float>(share);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = blend(image.pixels[i], other.pixels[i], factor);
  }
}

void solarize(Image& image, int threshold) {
  apply_table(image, make_table([&](int i) { return i < threshold ? i : 255 - i; }));
}

void solarize_add(Image& image, int add, int threshold) {
  apply_table(image, make_table([&](int i) { return i < threshold ? std::min(255, i + add) : i; }));
}

void posterize(Image& image, int bits) {
  const auto mask = static_cast<uint8_t>(0xff00 >> std::clamp(bits, 0, 8));
  for (auto& value : image.pixels) value &= mask;
}

void adjust_brightness(Image& image, double factor) {
  const auto f = static_cast<float>(factor);
  apply_table(image, make_table([&](int i) { return blend(0, i, f); }));
}

void adjust_contrast(Image& image, double factor) {
  if (image.pixels.empty()) return;
  uint64_t sum = 0;
  const uint8_t* p = image.pixels.data();
  for (const uint8_t* const end = p + image.pixels.size(); p < end; p += 3) sum += luma(p);
  const int mean = static_cast<int>(static_cast<double>(sum) / (image.pixels.size() / 3.0) + 0.5);
  const auto f = static_cast<float>(factor);
  apply_table(image, make_table([&](int i) { return blend(mean, i, f); }));
}

void adjust_color(Image& image, double factor) {
  const auto f = static_cast<float>(factor);
  uint8_t* p = image.pixels.data();
  for (uint8_t* const end = p + image.pixels.size(); p < end; p += 3) {
    const int grey = static_cast<int>(luma(p));
    for (int c = 0; c < 3; ++c) p[c] = blend(grey, p[c], f);
  }
}

void adjust_sharpness(Image& image, double factor) {
  const auto f = static_cast<float>(factor);
  const size_t row = static_cast<size_t>(image.width) * 3;
  static thread_local std::vector<uint8_t> old;  // the rows above and here, before they changed
  static thread_local std::vector<uint16_t> sums;
  if (image.height < 3 || image.width < 3) return;
  old.assign(image.pixels.begin(), image.pixels.begin() + static_cast<std::ptrdiff_t>(2 * row));
  sums.resize(row);
  uint8_t *above = old.data(), *here = above + row;
  for (int y = 1; y + 1 < image.height; ++y) {
    uint8_t* out = &image.pixels[y * row];
    const uint8_t* below = out + row;
    std::memcpy(here, out, row);
    uint16_t* sum = sums.data();
    for (size_t x = 0; x < row; ++x) {
      sum[x] = static_cast<uint16_t>(above[x] + here[x] + below[x]);
    }
    for (size_t x = 3; x + 3 < row; ++x) {
      const auto total = static_cast<uint16_t>(sum[x - 3] + sum[x] + sum[x + 3] + 4 * here[x] + 6);
      const int smooth = static_cast<uint16_t>((total * 5042u) >> 16);  // total / 13, exactly
      out[x] = blend(smooth, here[x], f);
    }
    std::swap(above, here);
  }
}

void gaussian_blur(Image& image, double sigma) {
  constexpr int kPasses = 3;
  if (sigma <= 0 || image.pixels.empty()) return;
  const BoxFilter box(box_width(static_cast<float>(sigma), kPasses));
  const size_t row = static_cast<size_t>(image.width) * 3;
  static thread_local std::vector<uint8_t> other;
  other.resize(std::max(image.pixels.size(), row));
  for (int pass = 0; pass < kPasses; ++pass) {
    for (int y = 0; y < image.height; ++y) {
      blur_row(&image.pixels[y * row], &other[y * row], image.width, box);
    }
    image.pixels.swap(other);
  }
  for (int pass = 0; pass < kPasses; ++pass) {
    blur_columns(image.pixels.data(), other.data(), image.height, row, box);
    image.pixels.swap(other);
  }
}

void flip_horizontally(Image& image) {
  const size_t row = static_cast<size_t>(image.width) * 3;
  for (int y = 0; y < image.height && image.width > 0; ++y) {
    uint8_t* left = &image.pixels[y * row];
    for (uint8_t* right = left + row - 3; left < right; left += 3, right -= 3) {
      for (int c = 0; c < 3; ++c) std::swap(left[c], right[c]);
    }
  }
}

}  // namespace wf
