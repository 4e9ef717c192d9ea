#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace wf {

/// Images as one: [N, C, H, W] uint8 → [C, rows * H, columns * W], row by row, the rest black.
at::Tensor tile(const at::Tensor& images, int64_t columns);

/// Writes [C, H, W] uint8 with one (gray) or three channels (R, G, B) as a PNG file, atomically.
/// `settings`, unless empty, becomes a text chunk "weightformer" of the file. Throws wf::Error.
void write_png(const std::string& path, const at::Tensor& image, const std::string& settings = "");

/// Samples as images to look at: [N, C, H, W] float32 → [N, 1 or 3, H, W] uint8. `latents` are
/// shown without a decoder: the first three channels (or the first), each scaled to its own range.
at::Tensor displayed(const at::Tensor& samples, bool latents);

}  // namespace wf
