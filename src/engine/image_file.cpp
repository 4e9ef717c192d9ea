#include "engine/image_file.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"

#include <opencv2/imgcodecs.hpp>
#include <torch/types.h>

#include <zlib.h>

#include <algorithm>
#include <vector>

namespace wf {
namespace {

void put_big_endian(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// A tEXt chunk after the header chunk, which is always the first and 25 bytes long (PNG 1.2).
void insert_text(std::string& png, const std::string& text) {
  constexpr size_t kSignature = 8, kHeader = 25;
  const std::string content = std::string("tEXtweightformer") + '\0' + text;
  std::string chunk;
  put_big_endian(chunk, static_cast<uint32_t>(content.size() - 4));  // without its type
  chunk += content;
  put_big_endian(chunk, static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(&chunk[4]),
                                                    static_cast<uInt>(content.size()))));
  png.insert(kSignature + kHeader, chunk);
}

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
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

at::Tensor shrink(const at::Tensor& images, int64_t side) {
  const int64_t height = images.size(2), width = images.size(3), longer = std::max(height, width);
  if (longer <= side) return images;
  const auto scaled = [&](int64_t length) { return std::max<int64_t>(1, length * side / longer); };
  return at::adaptive_avg_pool2d(images.to(torch::kFloat), {scaled(height), scaled(width)})
      .round()
      .to(torch::kByte);
}

std::string encode_image(const at::Tensor& image, ImageFormat format, const std::string& what) {
  const int64_t channels = image.size(0);
  WF_CHECK(channels == 1 || channels == 3, what, ": an image file has 1 or 3 channels, not ",
           channels);
  // OpenCV keeps colors as B, G, R.
  const auto pixels = image.cpu().flip(0).permute({1, 2, 0}).contiguous();
  const cv::Mat mat(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)),
                    channels == 3 ? CV_8UC3 : CV_8UC1, pixels.data_ptr<uint8_t>());
  std::vector<uint8_t> bytes;
  WF_CHECK(cv::imencode(format == ImageFormat::png ? ".png" : ".jpg", mat, bytes), what,
           ": the image could not be encoded");
  return {bytes.begin(), bytes.end()};
}

std::string image_url(const at::Tensor& image, ImageFormat format, const std::string& what) {
  const std::string kind = format == ImageFormat::png ? "png" : "jpeg";
  return "data:image/" + kind + ";base64," + base64(encode_image(image, format, what));
}

void write_png(const std::string& path, const at::Tensor& image, const std::string& settings) {
  auto png = encode_image(image, ImageFormat::png, path);
  if (!settings.empty()) insert_text(png, settings);
  AtomicFile file(path);
  file.write(png.data(), png.size());
  file.commit();
}

}  // namespace wf
