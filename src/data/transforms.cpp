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

// Copies a window of `image` that may reach beyond it; what lies outside is black.
// out: [3, size, size].
void write_window(const Image& image, int top, int left, int size, bool flip, float* out) {
  const auto& table = normalised();
  for (int channel = 0; channel < 3; ++channel) {
    const auto& values = table[channel];
    for (int y = 0; y < size; ++y) {
      const int row = top + y;
      for (int x = 0; x < size; ++x) {
        const int column = left + (flip ? size - 1 - x : x);
        const bool inside = row >= 0 && row < image.height && column >= 0 && column < image.width;
        *out++ =
            values[inside ? image.pixels[(static_cast<size_t>(row) * image.width + column) * 3 +
                                         channel]
                          : 0];
      }
    }
  }
}

Image to_square(const Image& image, int side, Interpolation interpolation) {
  return resize(image, {0, 0, image.height, image.width}, side, side, interpolation);
}

class RandomResizedCrop : public Transform {
 public:
  explicit RandomResizedCrop(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  void operator()(const Image& image, CounterRng& rng, float* out) const override {
    const Box box = random_resized_box(image.height, image.width, rng);
    const bool flip = rng.uniform() < options_.hflip;
    const int side = options_.size;
    write_window(resize(image, box, side, side, options_.interpolation), 0, 0, side, flip, out);
  }

 private:
  TransformOptions options_;
};

class PaddedCrop : public Transform {
 public:
  explicit PaddedCrop(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  void operator()(const Image& image, CounterRng& rng, float* out) const override {
    const int side = options_.size, pad = options_.crop_padding;
    const int top = static_cast<int>(rng.below(2 * pad + 1)) - pad;
    const int left = static_cast<int>(rng.below(2 * pad + 1)) - pad;
    const bool flip = rng.uniform() < options_.hflip;
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
  void operator()(const Image& image, CounterRng&, float* out) const override {
    write_window(eval_crop(image, options_), 0, 0, options_.size, /*flip=*/false, out);
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

Image eval_crop(const Image& image, const TransformOptions& options) {
  const int size = options.size;
  if (!options.crop || size <= kSmallSide) return to_square(image, size, options.interpolation);
  const int larger = static_cast<int>(256.0 / 224.0 * size);
  const Image square = to_square(image, larger, options.interpolation);
  // torchvision's centre: half the rest, rounded to even at .5.
  const int margin = static_cast<int>(std::nearbyint((larger - size) / 2.0));
  Image out{size, size, std::vector<uint8_t>(static_cast<size_t>(size) * size * 3)};
  const size_t row = static_cast<size_t>(size) * 3;
  for (int y = 0; y < size; ++y) {
    const auto* from = &square.pixels[(static_cast<size_t>(y + margin) * larger + margin) * 3];
    std::copy(from, from + row, &out.pixels[y * row]);
  }
  return out;
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
