#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wf {

/// A decoded image.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;  ///< RGB, height x width x 3
};

/// A view of RGB pixels, with rows `stride` bytes apart.
struct ImageView {
  const uint8_t* data = nullptr;
  size_t stride = 0;
  int height = 0;
  int width = 0;

  ImageView() = default;
  ImageView(const uint8_t* pixels, size_t row_bytes, int rows, int columns)
      : data(pixels), stride(row_bytes), height(rows), width(columns) {}
  ImageView(const Image& image)  // NOLINT: implicit conversion is intended
      : ImageView(image.pixels.data(), static_cast<size_t>(image.width) * 3, image.height,
                  image.width) {}
};

}  // namespace wf
