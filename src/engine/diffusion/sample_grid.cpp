#include "engine/diffusion/sample_grid.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "engine/diffusion/sampling.h"

#include <opencv2/imgcodecs.hpp>
#include <torch/types.h>

#include <zlib.h>

#include <algorithm>
#include <vector>

namespace wf {
namespace {

void put_big_endian(std::vector<uint8_t>& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

// A tEXt chunk after the header chunk, which is always the first and 25 bytes long (PNG 1.2).
void insert_text(std::vector<uint8_t>& png, const std::string& text) {
  constexpr size_t kSignature = 8, kHeader = 25;
  const std::string content = std::string("tEXtweightformer") + '\0' + text;
  std::vector<uint8_t> chunk;
  put_big_endian(chunk, static_cast<uint32_t>(content.size() - 4));  // without its type
  chunk.insert(chunk.end(), content.begin(), content.end());
  put_big_endian(
      chunk, static_cast<uint32_t>(crc32(0, chunk.data() + 4, static_cast<uInt>(content.size()))));
  png.insert(png.begin() + kSignature + kHeader, chunk.begin(), chunk.end());
}

}  // namespace

at::Tensor tile(const at::Tensor& images, int64_t columns) {
  const int64_t count = images.size(0), channels = images.size(1);
  const int64_t height = images.size(2), width = images.size(3);
  const int64_t rows = (count + columns - 1) / columns;
  auto grid = torch::zeros({rows * columns, channels, height, width}, images.options());
  grid.narrow(0, 0, count).copy_(images);
  return grid.view({rows, columns, channels, height, width})
      .permute({2, 0, 3, 1, 4})
      .reshape({channels, rows * height, columns * width});
}

void write_png(const std::string& path, const at::Tensor& image, const std::string& settings) {
  const int64_t channels = image.size(0);
  WF_CHECK(channels == 1 || channels == 3, path, ": a PNG has 1 or 3 channels, not ", channels);
  // OpenCV keeps colors as B, G, R.
  const auto pixels = image.cpu().flip(0).permute({1, 2, 0}).contiguous();
  const cv::Mat mat(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)),
                    channels == 3 ? CV_8UC3 : CV_8UC1, pixels.data_ptr<uint8_t>());
  std::vector<uint8_t> png;
  WF_CHECK(cv::imencode(".png", mat, png), path, ": the image could not be encoded");
  if (!settings.empty()) insert_text(png, settings);
  AtomicFile file(path);
  file.write(png.data(), png.size());
  file.commit();
}

at::Tensor displayed(const at::Tensor& samples, bool latents) {
  if (!latents) return to_bytes(samples);
  const auto shown = samples.narrow(1, 0, samples.size(1) >= 3 ? 3 : 1);
  const auto least = shown.amin({0, 2, 3}, /*keepdim=*/true);
  const auto most = shown.amax({0, 2, 3}, /*keepdim=*/true);
  return ((shown - least) / (most - least).clamp_min(1e-6) * 255).to(torch::kByte);
}

}  // namespace wf
