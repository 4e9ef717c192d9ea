#include "data/image/image_decoder.h"

#include "weightformer/core/check.h"

#include "data/image/decode.h"
#include "data/image/jpeg.h"
#include "data/image/scratch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

namespace wf {
namespace {

// A PPM with the header that as_ppm() writes.
std::optional<ImageView> plain_ppm(std::string_view bytes) {
  constexpr size_t kLongestHeader = 32;
  if (bytes.compare(0, 3, "P6\n") != 0) return std::nullopt;
  const std::string head(bytes.substr(0, kLongestHeader));
  int width = 0, height = 0, begin = 0;
  if (std::sscanf(head.c_str(), "P6\n%9d %9d\n255%n", &width, &height, &begin) != 2 || begin == 0) {
    return std::nullopt;
  }
  const size_t first = static_cast<size_t>(begin) + 1;
  const bool whole = width > 0 && height > 0 && first <= bytes.size() && bytes[first - 1] == '\n' &&
                     int64_t{height} * width <= kMaxPixels &&
                     bytes.size() - first >= static_cast<size_t>(height) * width * 3;
  if (!whole) return std::nullopt;
  const auto* pixels = reinterpret_cast<const uint8_t*>(bytes.data()) + first;
  return ImageView(pixels, static_cast<size_t>(width) * 3, height, width);
}

// How many eighths of the image are enough for `box` to become height x width. One eighth, the
// mean of each block, would differ by another half.
int eighths(const Box& box, int height, int width) {
  for (int n : {2, 4}) {
    if (box.height * n >= 8 * ImageDecoder::kReduced * height &&
        box.width * n >= 8 * ImageDecoder::kReduced * width) {
      return n;
    }
  }
  return 8;
}

}  // namespace

struct ImageDecoder::Jpeg {
  wf::Jpeg file;
  Scratch pixels;
};

ImageDecoder::ImageDecoder(Encoded encoded, std::string name) : encoded_(std::move(encoded)) {
  if (is_jpeg(encoded_.bytes)) {
    jpeg_.reset(new Jpeg{{encoded_.bytes, std::move(name)}, {}});
  } else if (const auto ppm = plain_ppm(encoded_.bytes)) {
    view_ = *ppm;
  } else {
    decoded_ = decode_image(encoded_.bytes, name);
    view_ = decoded_;
  }
}

ImageDecoder::ImageDecoder(ImageView image) : view_(image) {}
ImageDecoder::~ImageDecoder() = default;

int ImageDecoder::height() const { return jpeg_ ? jpeg_->file.height() : view_.height; }
int ImageDecoder::width() const { return jpeg_ ? jpeg_->file.width() : view_.width; }

ImageView ImageDecoder::full() {
  if (!jpeg_) return view_;
  return jpeg_->file.decode(8, {0, 0, height(), width()}, jpeg_->pixels);
}

ImageDecoder::Part ImageDecoder::part(Box box, int height, int width) {
  check_box(box, this->height(), this->width());
  if (!jpeg_) {
    const auto* first = view_.data + box.top * view_.stride + static_cast<size_t>(box.left) * 3;
    return {{first, view_.stride, box.height, box.width}, whole_box(box.height, box.width)};
  }
  const int n = eighths(box, height, width);
  const double scale = n / 8.0;
  const FloatBox reduced{box.top * scale, box.left * scale, box.height * scale, box.width * scale};
  Box outer;
  outer.top = static_cast<int>(reduced.top);
  outer.left = static_cast<int>(reduced.left);
  outer.height = static_cast<int>(std::ceil(reduced.top + reduced.height)) - outer.top;
  outer.width = static_cast<int>(std::ceil(reduced.left + reduced.width)) - outer.left;
  return {jpeg_->file.decode(n, outer, jpeg_->pixels),
          {reduced.top - outer.top, reduced.left - outer.left, reduced.height, reduced.width}};
}

}  // namespace wf
