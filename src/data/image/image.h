#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wf {

/// A decoded picture.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;  ///< RGB, height x width x 3
};

/// RGB pixels that belong to someone else, rows `stride` bytes apart.
struct ImageView {
  const uint8_t* data = nullptr;
  size_t stride = 0;
  int height = 0;
  int width = 0;

  ImageView() = default;
  ImageView(const uint8_t* pixels, size_t row_bytes, int rows, int columns)
      : data(pixels), stride(row_bytes), height(rows), width(columns) {}
  ImageView(const Image& image)  // NOLINT: an image is seen as it is
      : ImageView(image.pixels.data(), static_cast<size_t>(image.width) * 3, image.height,
                  image.width) {}
};

}  // namespace wf
