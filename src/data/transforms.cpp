#include "weightformer/data/transforms.h"

#include "weightformer/core/check.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wf {
namespace {

// A byte's normalised value, for each channel.
using Table = std::array<std::array<float, 256>, 3>;

const Table& normalised() {
  static const Table table = [] {
    Table made{};
    for (int channel = 0; channel < 3; ++channel) {
      for (int value = 0; value < 256; ++value) {
        made[channel][value] =
            (static_cast<float>(value) / 255.0f - kImagenetMean[channel]) / kImagenetStd[channel];
      }
    }
    return made;
  }();
  return table;
}

// Writes `count` normalised pixels; `step` is 3, or -3 to go left.
void write_pixels(const uint8_t* pixel, ptrdiff_t step, int count, float* out, size_t plane) {
  const auto& [red, green, blue] = normalised();
  for (int x = 0; x < count; ++x, pixel += step) {
    out[x] = red[pixel[0]];
    out[x + plane] = green[pixel[1]];
    out[x + 2 * plane] = blue[pixel[2]];
  }
}

// Copies a window of `image` that may reach beyond it; what lies outside is black.
// out: [3, size, size].
void write_window(const ImageView& image, int top, int left, int size, bool flip, float* out) {
  const size_t plane = static_cast<size_t>(size) * size;
  if (top < 0 || left < 0 || top + size > image.height || left + size > image.width) {
    for (int channel = 0; channel < 3; ++channel) {
      std::fill_n(out + channel * plane, plane, normalised()[channel][0]);
    }
  }
  const int begin = std::max(0, left), end = std::min(image.width, left + size);
  if (begin >= end) return;
  for (int row = std::max(0, top); row < std::min(image.height, top + size); ++row) {
    const int column = flip ? end - 1 : begin;
    const int to = flip ? left + size - end : begin - left;
    write_pixels(image.data + row * image.stride + static_cast<size_t>(column) * 3, flip ? -3 : 3,
                 end - begin, out + static_cast<size_t>(row - top) * size + to, plane);
  }
}

Image to_square(const ImageView& image, int side, Interpolation interpolation) {
  Image out{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side * 3)};
  resize_into(image,
              {whole_box(image.height, image.width), side, side, {0, 0, side, side}, interpolation},
              out.pixels.data());
  return out;
}

// The box at the side of the result; the filter sees nothing outside it, as in torchvision.
Image crop_and_resize(Picture& picture, const Box& box, const TransformOptions& options) {
  Picture::Part part;
  if (options.fast_decode) {
    part = picture.part(box, options.size, options.size);
  } else {
    const auto whole = picture.whole();
    part.pixels = {whole.data + box.top * whole.stride + static_cast<size_t>(box.left) * 3,
                   whole.stride, box.height, box.width};
    part.box = whole_box(box.height, box.width);
  }
  const int side = options.size;
  Image out{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side * 3)};
  resize_into(part.pixels, {part.box, side, side, {0, 0, side, side}, options.interpolation},
              out.pixels.data());
  return out;
}

class RandomResizedCrop : public Transform {
 public:
  explicit RandomResizedCrop(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  void operator()(Picture& picture, CounterRng& rng, float* out) const override {
    const Box box = random_resized_box(picture.height(), picture.width(), rng);
    const bool flip = rng.uniform() < options_.hflip;
    const Image crop = crop_and_resize(picture, box, options_);
    write_window(crop, 0, 0, options_.size, flip, out);
  }

 private:
  TransformOptions options_;
};

class PaddedCrop : public Transform {
 public:
  explicit PaddedCrop(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  void operator()(Picture& picture, CounterRng& rng, float* out) const override {
    const int side = options_.size, pad = options_.crop_padding;
    const int top = static_cast<int>(rng.below(2 * pad + 1)) - pad;
    const int left = static_cast<int>(rng.below(2 * pad + 1)) - pad;
    const bool flip = rng.uniform() < options_.hflip;
    const auto image = picture.whole();
    if (image.height == side && image.width == side) {
      write_window(image, top, left, side, flip, out);
    } else {
      write_window(to_square(image, side, options_.interpolation), top, left, side, flip, out);
    }
  }

 private:
  TransformOptions options_;
};

class Evaluation : public Transform {
 public:
  explicit Evaluation(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  void operator()(Picture& picture, CounterRng&, float* out) const override {
    write_window(eval_crop(picture.whole(), options_), 0, 0, options_.size, /*flip=*/false, out);
  }

 private:
  TransformOptions options_;
};

}  // namespace

Box random_resized_box(int height, int width, CounterRng& rng) {
  constexpr double kMinArea = 0.08, kMinAspect = 3.0 / 4, kMaxAspect = 4.0 / 3;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = rng.uniform(kMinArea, 1) * height * width;
    const double aspect = std::exp(rng.uniform(std::log(kMinAspect), std::log(kMaxAspect)));
    const int w = static_cast<int>(std::lround(std::sqrt(area * aspect)));
    const int h = static_cast<int>(std::lround(std::sqrt(area / aspect)));
    if (w <= 0 || h <= 0 || w > width || h > height) continue;
    const int top = static_cast<int>(rng.below(height - h + 1));
    const int left = static_cast<int>(rng.below(width - w + 1));
    return {top, left, h, w};
  }
  const double aspect = static_cast<double>(width) / height;
  int w = width, h = height;
  if (aspect < kMinAspect) h = std::min(height, static_cast<int>(std::lround(w / kMinAspect)));
  if (aspect > kMaxAspect) w = std::min(width, static_cast<int>(std::lround(h * kMaxAspect)));
  h = std::max(h, 1);
  w = std::max(w, 1);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

Image eval_crop(const ImageView& image, const TransformOptions& options) {
  const int size = options.size;
  if (!options.crop || size <= kSmallSide) return to_square(image, size, options.interpolation);
  const int larger = static_cast<int>(256.0 / 224.0 * size);
  // torchvision's centre: half the rest, rounded to even at .5.
  const int margin = static_cast<int>(std::nearbyint((larger - size) / 2.0));
  Image out{size, size, std::vector<uint8_t>(static_cast<size_t>(size) * size * 3)};
  resize_into(image,
              {whole_box(image.height, image.width),
               larger,
               larger,
               {margin, margin, size, size},
               options.interpolation},
              out.pixels.data());
  return out;
}

void Transform::operator()(const Image& image, CounterRng& rng, float* out) const {
  Picture picture{ImageView(image)};
  (*this)(picture, rng, out);
}

std::unique_ptr<Transform> make_train_transform(const TransformOptions& options) {
  WF_CHECK(options.size > 0, "transform: the size must be positive, got ", options.size);
  if (options.size <= kSmallSide) return std::make_unique<PaddedCrop>(options);
  return std::make_unique<RandomResizedCrop>(options);
}

std::unique_ptr<Transform> make_eval_transform(const TransformOptions& options) {
  WF_CHECK(options.size > 0, "transform: the size must be positive, got ", options.size);
  return std::make_unique<Evaluation>(options);
}

}  // namespace wf
