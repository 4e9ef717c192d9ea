#include "data/image/resize.h"

#include "weightformer/core/check.h"

#include "data/image/pixel_kernels.h"
#include "data/image/scratch.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace wf {
namespace {

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

// Keys 1981 with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double box(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

struct Filter {
  double (*value)(double);
  double support;  // zero beyond it
};

// By Interpolation.
constexpr Filter kFilters[] = {{triangle, 1}, {cubic, 2}, {box, 0.5}};

// One axis of a resize.
struct Axis {
  int in;                // pixels there are
  double first, length;  // of the part that is resized
  int out;
  Interpolation interpolation;

  bool changes() const { return first != 0 || length != in || out != in; }
  bool operator==(const Axis& other) const {
    return in == other.in && first == other.first && length == other.length && out == other.out &&
           interpolation == other.interpolation;
  }
};

ResizeWeights make_weights(const Axis& axis) {
  const auto& filter = kFilters[static_cast<int>(axis.interpolation)];
  const double scale = axis.length / axis.out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter.support * filter_scale;
  ResizeWeights weights;
  weights.stride = (static_cast<int>(std::ceil(support)) * 2 + 1 + 3) / 4 * 4;
  weights.windows.resize(axis.out);
  weights.values.assign(static_cast<size_t>(axis.out) * weights.stride, 0);
  weights.halves.assign(weights.values.size() * 2, 0);
  std::vector<double> row(weights.stride);
  for (int i = 0; i < axis.out; ++i) {
    const double center = axis.first + (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int count = std::min(axis.in, static_cast<int>(center + support + 0.5)) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) {
      const double x = (k + first - center + 0.5) / filter_scale;
      row[k] = filter.value(x);
      sum += row[k];
    }
    for (int k = 0; k < count; ++k) {
      const double fixed = row[k] / sum * (1 << ResizeWeights::kBits);
      weights.set(static_cast<size_t>(i) * weights.stride + k,
                  static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5)));
    }
    weights.windows[i] = {first, count};
  }
  return weights;
}

// Full images occur in few sizes, so their weights are cached; those of a random crop are not.
std::shared_ptr<const ResizeWeights> weights_for(const Axis& axis) {
  if (axis.first != 0 || axis.length != axis.in) {
    return std::make_shared<const ResizeWeights>(make_weights(axis));
  }
  struct Kept {
    Axis axis;
    std::shared_ptr<const ResizeWeights> weights;
  };
  constexpr size_t kCount = 16;
  static thread_local std::vector<Kept> kept;
  for (const auto& one : kept) {
    if (one.axis == axis) return one.weights;
  }
  if (kept.size() == kCount) kept.erase(kept.begin());
  kept.push_back({axis, std::make_shared<const ResizeWeights>(make_weights(axis))});
  return kept.back().weights;
}

// The inputs of the windows first … first + count - 1, as [begin, end).
struct Range {
  int begin, end;
};

Range inputs_of(const ResizeWeights& weights, int first, int count) {
  const auto& low = weights.windows[first];
  const auto& high = weights.windows[first + count - 1];
  return {low.first, high.first + high.count};
}

// The columns first … first + count - 1 of the view at another width, with `skipped` pixels of the
// image left of the view.
void resize_rows(const ImageView& in, int skipped, const Axis& axis, int first, int count,
                 uint8_t* out) {
  const PixelKernels::Rows rows{in.data, in.stride, in.height, in.width, skipped};
  best_kernels().resize_rows(rows, *weights_for(axis), first, count, out);
}

// The rows first … first + count - 1 of the view at another height; `skipped` as above.
void resize_columns(const ImageView& in, int skipped, const Axis& axis, int first, int count,
                    uint8_t* out) {
  const auto weights = weights_for(axis);
  const size_t row_bytes = static_cast<size_t>(in.width) * 3;
  for (int y = first; y < first + count; ++y, out += row_bytes) {
    const auto* from = in.data + (weights->windows[y].first - skipped) * in.stride;
    best_kernels().resize_column(from, in.stride, *weights, y, out, row_bytes);
  }
}

ImageView cut(const ImageView& in, const Box& box) {
  return {in.data + box.top * in.stride + static_cast<size_t>(box.left) * 3, in.stride, box.height,
          box.width};
}

// The order decides how the 8 bits between the passes are rounded. Pillow 13 takes columns first
// when the height loses more than twice the rows that the width loses columns, of the full image
// even if a box is given (found by experiment; older versions always take rows first).
bool columns_first(const Axis& vertical, const Axis& horizontal) {
  return vertical.in - vertical.out > 2 * std::max(0, horizontal.in - horizontal.out);
}

void resize_both(const ImageView& image, const Axis& vertical, const Axis& horizontal,
                 const Box& part, uint8_t* out) {
  Scratch scratch;
  if (columns_first(vertical, horizontal)) {
    const auto [left, right] = inputs_of(*weights_for(horizontal), part.left, part.width);
    const int width = right - left;
    uint8_t* between = scratch.take(static_cast<size_t>(width) * 3 * part.height);
    resize_columns(cut(image, {0, left, image.height, width}), 0, vertical, part.top, part.height,
                   between);
    resize_rows({between, static_cast<size_t>(width) * 3, part.height, width}, left, horizontal,
                part.left, part.width, out);
    return;
  }
  const auto [top, bottom] = inputs_of(*weights_for(vertical), part.top, part.height);
  const size_t row_bytes = static_cast<size_t>(part.width) * 3;
  uint8_t* between = scratch.take(row_bytes * (bottom - top));
  resize_rows(cut(image, {top, 0, bottom - top, image.width}), 0, horizontal, part.left, part.width,
              between);
  resize_columns({between, row_bytes, bottom - top, part.width}, top, vertical, part.top,
                 part.height, out);
}

}  // namespace

void check_box(const Box& box, int height, int width) {
  WF_CHECK(box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 &&
               box.height <= height - box.top && box.width <= width - box.left,
           "resize: the box (", box.top, ", ", box.left, ", ", box.height, ", ", box.width,
           ") is outside an image of ", height, " x ", width);
}

void resize_into(ImageView image, const Resizing& r, uint8_t* out) {
  constexpr double kRounding = 1e-6;  // of scaled boxes
  WF_CHECK(r.source.top >= 0 && r.source.left >= 0 && r.source.height > 0 && r.source.width > 0 &&
               r.source.top + r.source.height <= image.height + kRounding &&
               r.source.left + r.source.width <= image.width + kRounding,
           "resize: the box (", r.source.top, ", ", r.source.left, ", ", r.source.height, ", ",
           r.source.width, ") is outside an image of ", image.height, " x ", image.width);
  WF_CHECK(r.height > 0 && r.width > 0, "resize: the result must have pixels, got ", r.height,
           " x ", r.width);
  check_box(r.part, r.height, r.width);
  const Axis vertical{image.height, r.source.top, r.source.height, r.height, r.interpolation};
  const Axis horizontal{image.width, r.source.left, r.source.width, r.width, r.interpolation};
  const auto& part = r.part;
  // A pass without effect is skipped, as in PIL.
  if (vertical.changes() && horizontal.changes()) {
    resize_both(image, vertical, horizontal, part, out);
  } else if (horizontal.changes()) {
    resize_rows(cut(image, {part.top, 0, part.height, image.width}), 0, horizontal, part.left,
                part.width, out);
  } else if (vertical.changes()) {
    resize_columns(cut(image, {0, part.left, image.height, part.width}), 0, vertical, part.top,
                   part.height, out);
  } else {
    const auto from = cut(image, part);
    for (int y = 0; y < part.height; ++y) {
      out = std::copy_n(from.data + y * from.stride, static_cast<size_t>(part.width) * 3, out);
    }
  }
}

Image resize(const Image& image, Box box, int height, int width, Interpolation interpolation) {
  check_box(box, image.height, image.width);
  WF_CHECK(height > 0 && width > 0, "resize: the result must have pixels, got ", height, " x ",
           width);
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(width) * 3 * height)};
  resize_into(
      cut(image, box),
      {whole_box(box.height, box.width), height, width, {0, 0, height, width}, interpolation},
      out.pixels.data());
  return out;
}

}  // namespace wf
