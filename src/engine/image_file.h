// Images as tensors: put on one sheet, scaled down, encoded.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace wf {

/// Images as one: [N, C, H, W] uint8 → [C, rows * H, columns * W], row by row, the rest black.
at::Tensor tile(const at::Tensor& images, int64_t columns);

/// [N, C, H, W] uint8 scaled down by averaging so that the longer side is at most `side` pixels;
/// smaller images are not changed.
at::Tensor shrink(const at::Tensor& images, int64_t side);

enum class ImageFormat { png, jpeg };

/// [C, H, W] uint8 with one (gray) or three channels (R, G, B) as the bytes of a file. `what` names
/// it in errors. Throws wf::Error.
std::string encode_image(const at::Tensor& image, ImageFormat format, const std::string& what);

/// The same as a data URL, for a page or a drawing: "data:image/png;base64,…".
std::string image_url(const at::Tensor& image, ImageFormat format, const std::string& what);

/// Writes an image as a PNG file, atomically. `settings`, unless empty, becomes a text chunk
/// "weightformer" of the file. Throws wf::Error.
void write_png(const std::string& path, const at::Tensor& image, const std::string& settings = "");

}  // namespace wf
