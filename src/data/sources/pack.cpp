#include "data/sources/pack.h"

#include "weightformer/core/check.h"

#include "data/image/decode.h"
#include "data/image/resize.h"
#include "data/parallel.h"
#include "data/sources/packed_file.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace wf {
namespace {

constexpr int kLongestJpeg = 65'500;  // libjpeg's limit

struct Packable {
  Encoded picture;
  bool reduced = false;
  std::string problem;
};

std::string encode_jpeg(const Image& image, int quality, const std::string& name) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.pixels.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<uint8_t> bytes;
  WF_CHECK(cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, quality}), name,
           ": cannot be written as a JPEG of ", image.width, "x", image.height);
  return {bytes.begin(), bytes.end()};
}

// `image` with a shorter side of `side`; nullopt when that would not make it smaller, or exceeds
// the limit of JPEG.
std::optional<Image> reduce(const Image& image, int side) {
  const int shorter = std::min(image.height, image.width);
  if (shorter <= side) return std::nullopt;
  const auto scaled = [&](int length) {
    return static_cast<int>(std::lround(static_cast<double>(length) * side / shorter));
  };
  const int height = scaled(image.height), width = scaled(image.width);
  if (std::max(height, width) > kLongestJpeg) return std::nullopt;
  return resize(image, {0, 0, image.height, image.width}, height, width, Interpolation::bicubic);
}

Packable prepare(const Dataset& pictures, int64_t i, const PackOptions& options) {
  Packable out;
  try {
    out.picture = pictures.read(i);
    if (options.side == 0) return out;
    const std::string name = pictures.name(i);
    const auto smaller = reduce(decode_image(out.picture.bytes, name), options.side);
    if (!smaller) return out;
    const auto bytes =
        std::make_shared<const std::string>(encode_jpeg(*smaller, options.quality, name));
    out.picture = {*bytes, bytes};
    out.reduced = true;
  } catch (const UnreadableImage& problem) {
    out.problem = problem.what();
  }
  return out;
}

}  // namespace

PackReport pack(const Dataset& pictures, const std::string& output, const PackOptions& options) {
  WF_CHECK(
      options.side >= 0 && options.threads > 0 && options.quality > 0 && options.quality <= 100,
      "pack: side must be 0 or more, threads 1 or more, quality 1 to 100");
  // Encoded in parallel, written in order; the number of images in memory at once.
  constexpr int64_t kChunk = 256;
  const std::string front = options.root + "/";
  PackedWriter file(output, pictures.classes());
  PackReport report;
  for (int64_t begin = 0; begin < pictures.size(); begin += kChunk) {
    std::vector<Packable> chunk(std::min(kChunk, pictures.size() - begin));
    in_parallel(static_cast<int64_t>(chunk.size()), options.threads,
                [&](int64_t i) { chunk[i] = prepare(pictures, begin + i, options); });
    for (size_t i = 0; i < chunk.size(); ++i) {
      const int64_t index = begin + static_cast<int64_t>(i);
      if (!chunk[i].problem.empty()) {
        report.skipped.push_back(chunk[i].problem);
        continue;
      }
      auto name = pictures.name(index);
      if (name.compare(0, front.size(), front) == 0) name.erase(0, front.size());
      file.add(name, pictures.label(index), chunk[i].picture.bytes);
      report.reduced += chunk[i].reduced;
    }
    if (options.progress)
      options.progress(std::min(begin + kChunk, pictures.size()), pictures.size());
  }
  WF_CHECK(file.size() > 0, output, ": none of the ", pictures.size(),
           " images can be read: ", report.skipped.front());
  file.finish();
  report.packed = file.size();
  report.bytes = file.bytes();
  return report;
}

}  // namespace wf
