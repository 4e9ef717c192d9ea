#include "weightformer/data/resize.h"

#include "weightformer/core/check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace wf {
namespace {

constexpr int kBits = 22;  // of fraction: 32 less 8 of pixel and 2 for sums beyond 1 (bicubic)

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

// Keys 1981 with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// For each output position: the inputs it sees, [first, first + count), and their weights.
struct Weights {
  struct Window {
    int first, count;
  };
  std::vector<Window> windows;
  std::vector<int32_t> values;  // `stride` per window
  int stride = 0;
};

Weights make_weights(int in, int out, Interpolation interpolation) {
  const bool bicubic = interpolation == Interpolation::bicubic;
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = (bicubic ? 2.0 : 1.0) * filter_scale;
  Weights weights;
  weights.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.windows.resize(out);
  weights.values.assign(static_cast<size_t>(out) * weights.stride, 0);
  std::vector<double> row(weights.stride);
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int count = std::min(in, static_cast<int>(center + support + 0.5)) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) {
      const double x = (k + first - center + 0.5) / filter_scale;
      row[k] = bicubic ? cubic(x) : triangle(x);
      sum += row[k];
    }
    for (int k = 0; k < count; ++k) {
      const double fixed = row[k] / sum * (1 << kBits);
      weights.values[static_cast<size_t>(i) * weights.stride + k] =
          static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
    weights.windows[i] = {first, count};
  }
  return weights;
}

inline uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255));
}

// RGB pixels somewhere in memory, rows `stride` bytes apart.
struct View {
  const uint8_t* data;
  size_t stride;
  int height, width;
};

// The view at another width; the pixels are in `out`.
View resize_rows(const View& in, int width, Interpolation interpolation,
                 std::vector<uint8_t>& out) {
  if (width == in.width) return in;
  const auto weights = make_weights(in.width, width, interpolation);
  out.resize(static_cast<size_t>(width) * 3 * in.height);
  uint8_t* to = out.data();
  for (int y = 0; y < in.height; ++y) {
    const uint8_t* row = in.data + y * in.stride;
    for (int x = 0; x < width; ++x, to += 3) {
      const auto [first, count] = weights.windows[x];
      const int32_t* w = &weights.values[static_cast<size_t>(x) * weights.stride];
      const uint8_t* pixel = row + 3 * static_cast<size_t>(first);
      int32_t r = 1 << (kBits - 1), g = r, b = r;
      for (int k = 0; k < count; ++k, pixel += 3) {
        r += pixel[0] * w[k];
        g += pixel[1] * w[k];
        b += pixel[2] * w[k];
      }
      to[0] = to_byte(r);
      to[1] = to_byte(g);
      to[2] = to_byte(b);
    }
  }
  return {out.data(), static_cast<size_t>(width) * 3, in.height, width};
}

// The view at another height. A row is summed as a whole, which the compiler vectorises.
View resize_columns(const View& in, int height, Interpolation interpolation,
                    std::vector<uint8_t>& out) {
  if (height == in.height) return in;
  const auto weights = make_weights(in.height, height, interpolation);
  const size_t row_bytes = static_cast<size_t>(in.width) * 3;
  out.resize(row_bytes * height);
  std::vector<int32_t> sums(row_bytes);
  uint8_t* to = out.data();
  for (int y = 0; y < height; ++y, to += row_bytes) {
    const auto [first, count] = weights.windows[y];
    const int32_t* w = &weights.values[static_cast<size_t>(y) * weights.stride];
    std::fill(sums.begin(), sums.end(), 1 << (kBits - 1));
    for (int k = 0; k < count; ++k) {
      const uint8_t* row = in.data + (static_cast<size_t>(first) + k) * in.stride;
      const int32_t weight = w[k];
      for (size_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weight;
    }
    for (size_t x = 0; x < row_bytes; ++x) to[x] = to_byte(sums[x]);
  }
  return {out.data(), row_bytes, height, in.width};
}

// The order decides how the 8 bits between the passes are rounded. Pillow 13 takes columns first
// when the height loses more than twice the rows that the width loses columns (found by trying;
// older ones always take rows first).
bool columns_first(const Box& box, int height, int width) {
  return int64_t{box.height} - height > 2 * std::max<int64_t>(0, int64_t{box.width} - width);
}

}  // namespace

Image resize(const Image& image, Box box, int height, int width, Interpolation interpolation) {
  WF_CHECK(box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 &&
               box.height <= image.height - box.top && box.width <= image.width - box.left,
           "resize: the box (", box.top, ", ", box.left, ", ", box.height, ", ", box.width,
           ") lies outside a picture of ", image.height, " x ", image.width);
  WF_CHECK(height > 0 && width > 0, "resize: the result must have pixels, got ", height, " x ",
           width);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  View view{image.pixels.data() + box.top * stride + static_cast<size_t>(box.left) * 3, stride,
            box.height, box.width};
  // A pass that would change nothing is left out, as in PIL.
  std::vector<uint8_t> first, second;
  if (columns_first(box, height, width)) {
    view = resize_columns(view, height, interpolation, first);
    view = resize_rows(view, width, interpolation, second);
  } else {
    view = resize_rows(view, width, interpolation, first);
    view = resize_columns(view, height, interpolation, second);
  }
  if (view.data == second.data()) return {height, width, std::move(second)};
  if (view.data == first.data()) return {height, width, std::move(first)};
  Image copy{height, width, std::vector<uint8_t>(static_cast<size_t>(width) * 3 * height)};
  for (int y = 0; y < height; ++y) {
    std::memcpy(&copy.pixels[static_cast<size_t>(y) * width * 3], view.data + y * stride,
                static_cast<size_t>(width) * 3);
  }
  return copy;
}

}  // namespace wf
