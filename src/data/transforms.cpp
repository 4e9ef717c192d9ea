#include "data/transforms.h"

#include "weightformer/core/check.h"

#include "data/augment/auto_augment.h"
#include "data/image/image_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace wf {
namespace {

// The normalized value of a byte, for each channel.
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

// A square window of `image` that may reach beyond it; pixels outside are black.
Image window(const ImageView& image, int top, int left, int size) {
  const size_t row = static_cast<size_t>(size) * 3;
  Image out{size, size, std::vector<uint8_t>(row * size)};
  const int first = std::max(0, -left), last = std::min(size, image.width - left);
  for (int y = std::max(0, -top); y < std::min(size, image.height - top) && first < last; ++y) {
    const auto* from =
        image.data + (top + y) * image.stride + static_cast<size_t>(left + first) * 3;
    std::copy(from, from + static_cast<size_t>(last - first) * 3, &out.pixels[y * row + first * 3]);
  }
  return out;
}

Image resized(const ImageView& image, int height, int width, Interpolation interpolation) {
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  resize_into(
      image,
      {whole_box(image.height, image.width), height, width, {0, 0, height, width}, interpolation},
      out.pixels.data());
  return out;
}

Image to_square(const ImageView& image, int side, Interpolation interpolation) {
  return resized(image, side, side, interpolation);
}

// The box resized to the side of the result; the filter does not read outside it, as in
// torchvision.
Image crop_and_resize(ImageDecoder& decoder, const Box& box, const TransformOptions& options,
                      Interpolation interpolation) {
  ImageDecoder::Part part;
  if (options.fast_decode) {
    part = decoder.part(box, options.size, options.size);
  } else {
    const auto whole = decoder.full();
    part.pixels = {whole.data + box.top * whole.stride + static_cast<size_t>(box.left) * 3,
                   whole.stride, box.height, box.width};
    part.box = whole_box(box.height, box.width);
  }
  const int side = options.size;
  Image out{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side * 3)};
  resize_into(part.pixels, {part.box, side, side, {0, 0, side, side}, interpolation},
              out.pixels.data());
  return out;
}

// The crop of a training image, size x size: the only step that reads the full image.
Image random_crop(ImageDecoder& decoder, const TransformOptions& options,
                  Interpolation interpolation, CounterRng& rng) {
  const int side = options.size, pad = options.crop_padding;
  if (side > kSmallSide) {
    const Box box = random_resized_box(decoder.height(), decoder.width(), rng);
    return crop_and_resize(decoder, box, options, interpolation);
  }
  const int top = static_cast<int>(rng.below(2 * pad + 1)) - pad;
  const int left = static_cast<int>(rng.below(2 * pad + 1)) - pad;
  const auto image = decoder.full();
  if (image.height == side && image.width == side) return window(image, top, left, side);
  return window(to_square(image, side, interpolation), top, left, side);
}

// torchvision's ColorJitter without hue: three factors, in a random order.
void jitter_colors(Image& image, double amount, CounterRng& rng) {
  constexpr void (*kAdjust[])(Image&, double) = {adjust_brightness, adjust_contrast, adjust_color};
  std::array<int, 3> order{0, 1, 2};
  for (int i = 2; i > 0; --i) std::swap(order[i], order[rng.below(i + 1)]);
  for (int which : order) kAdjust[which](image, rng.uniform(std::max(0.0, 1 - amount), 1 + amount));
}

bool has_policy(const TransformOptions& options) {
  return !options.auto_augment.empty() && options.auto_augment != "none";
}

AutoAugmentOptions policy_options(const TransformOptions& options) {
  AutoAugmentOptions out;
  out.warp.interpolation = options.interpolation;
  out.random_interpolation = options.random_interpolation;
  for (int c = 0; c < 3; ++c) {
    out.warp.fill[c] = static_cast<uint8_t>(std::lround(255 * kImagenetMean[c]));
  }
  return out;
}

class Training : public Transform {
 public:
  explicit Training(const TransformOptions& options) : options_(options) {
    if (has_policy(options)) policy_.emplace(options.auto_augment, policy_options(options));
    if (policy_ && options.auto_augment.find("3a") == std::string::npos) options_.color_jitter = 0;
  }
  int size() const override { return options_.size; }
  Sample sample(ImageDecoder& decoder, CounterRng& rng) const override {
    auto interpolation = options_.interpolation;
    if (options_.random_interpolation) {
      interpolation = rng.uniform() < 0.5 ? Interpolation::bilinear : Interpolation::bicubic;
    }
    Sample out{random_crop(decoder, options_, interpolation, rng), {}};
    if (rng.uniform() < options_.hflip) flip_horizontally(out.image);
    if (policy_) (*policy_)(out.image, rng);
    if (options_.color_jitter > 0) jitter_colors(out.image, options_.color_jitter, rng);
    out.erased = random_erasing(options_.size, options_.size, options_.erasing, rng);
    return out;
  }

 private:
  TransformOptions options_;
  std::optional<AutoAugment> policy_;
};

class Evaluation : public Transform {
 public:
  explicit Evaluation(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  Sample sample(ImageDecoder& decoder, CounterRng&) const override {
    return {eval_crop(decoder.full(), options_), {}};
  }

 private:
  TransformOptions options_;
};

class CenterCrop : public Transform {
 public:
  explicit CenterCrop(const TransformOptions& options) : options_(options) {}
  int size() const override { return options_.size; }
  Sample sample(ImageDecoder& decoder, CounterRng& rng) const override {
    Sample out{center_crop(decoder.full(), options_.size), {}};
    if (rng.uniform() < options_.hflip) flip_horizontally(out.image);
    return out;
  }

 private:
  TransformOptions options_;
};

}  // namespace

void Transform::operator()(const Image& image, CounterRng& rng, float* out) const {
  ImageDecoder decoder{ImageView(image)};
  write_normalised(sample(decoder, rng), out);
}

void write_normalised(const Sample& sample, float* out) {
  const auto& table = normalised();
  const auto& image = sample.image;
  const size_t width = image.width, plane = width * image.height;
  const uint8_t* p = image.pixels.data();
  for (size_t i = 0; i < plane; ++i, p += 3) {
    out[i] = table[0][p[0]];
    out[plane + i] = table[1][p[1]];
    out[2 * plane + i] = table[2][p[2]];
  }
  for (const auto& [box, values] : sample.erased) {
    const size_t area = static_cast<size_t>(box.height) * box.width;
    const bool one_color = values.size() == 3;
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < box.height; ++y) {
        float* to = out + c * plane + (box.top + y) * width + box.left;
        const float* from = &values[one_color ? c : c * area + static_cast<size_t>(y) * box.width];
        if (one_color) {
          std::fill_n(to, box.width, *from);
        } else {
          std::copy_n(from, box.width, to);
        }
      }
    }
  }
}

void write_planes(const Image& image, uint8_t* out) {
  const size_t plane = static_cast<size_t>(image.width) * image.height;
  const uint8_t* p = image.pixels.data();
  for (size_t i = 0; i < plane; ++i, p += 3) {
    for (int c = 0; c < 3; ++c) out[c * plane + i] = p[c];
  }
}

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

EvalSides eval_sides(const TransformOptions& options) {
  if (!options.crop || options.size <= kSmallSide) return {options.size, 0};
  const int larger = static_cast<int>(256.0 / 224.0 * options.size);
  // torchvision's center: half the rest, rounded to even at .5.
  return {larger, static_cast<int>(std::nearbyint((larger - options.size) / 2.0))};
}

Image eval_crop(const ImageView& image, const TransformOptions& options) {
  const int size = options.size;
  const auto [larger, margin] = eval_sides(options);
  if (larger == size) return to_square(image, size, options.interpolation);
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

Image center_crop(const ImageView& image, int size) {
  Image halved;
  ImageView view = image;
  while (std::min(view.height, view.width) >= 2 * size) {
    halved = resized(view, view.height / 2, view.width / 2, Interpolation::box);
    view = halved;
  }
  const double scale = static_cast<double>(size) / std::min(view.height, view.width);
  const auto side = [&](int pixels) { return static_cast<int>(std::nearbyint(pixels * scale)); };
  const auto small = resized(view, side(view.height), side(view.width), Interpolation::bicubic);
  return window(small, (small.height - size) / 2, (small.width - size) / 2, size);
}

std::unique_ptr<Transform> make_center_crop_transform(const TransformOptions& options) {
  WF_CHECK(options.size > 0, "transform: the size must be positive, got ", options.size);
  return std::make_unique<CenterCrop>(options);
}

std::unique_ptr<Transform> make_train_transform(const TransformOptions& options) {
  WF_CHECK(options.size > 0, "transform: the size must be positive, got ", options.size);
  return std::make_unique<Training>(options);
}

std::unique_ptr<Transform> make_eval_transform(const TransformOptions& options) {
  WF_CHECK(options.size > 0, "transform: the size must be positive, got ", options.size);
  return std::make_unique<Evaluation>(options);
}

}  // namespace wf
