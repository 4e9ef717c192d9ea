#include "data/image/decode.h"

#include "core/checksum.h"
#include "core/little_endian.h"
#include "data/image/bmp.h"
#include "data/image/jpeg.h"
#include "data/image/pnm.h"
#include "data/image/scratch.h"
#include "data/image/tiff.h"

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <cstdint>
#include <memory>

namespace wf {
namespace {

uint32_t read_big(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

bool is_png(std::string_view bytes) { return bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n"; }
bool is_webp(std::string_view bytes) {
  return bytes.substr(0, 4) == "RIFF" && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP";
}

// OpenCV allocates what the header claims, so that is checked first.
void check_png(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 33) throw UnreadableImage(name + ": damaged PNG: cut off in its header");
  check_pixels(read_big(bytes, 16), read_big(bytes, 20), name);
  // OpenCV leaves out what is damaged before the pixels, a palette's transparency or a gamma.
  for (size_t at = 8; bytes.size() - at >= 12 && bytes.substr(at + 4, 4) != "IDAT";) {
    const size_t size = read_big(bytes, at);
    if (bytes.size() - at - 12 < size) break;
    if (checksum(bytes.substr(at + 4, 4 + size)) != read_big(bytes, at + 8 + size)) {
      throw UnreadableImage(
          str(name, ": damaged PNG: the checksum of the chunk at byte ", at, " is wrong"));
    }
    at += 12 + size;
  }
}

// The chunks must fill the file as its header claims; libwebp checks only the chunk of the pixels.
void check_webp_chunks(std::string_view bytes, const std::string& name) {
  const uint64_t end = uint64_t{load_number<uint32_t>(bytes, 4)} + 8;
  uint64_t at = 12;
  while (end <= bytes.size() && at + 8 <= end) {
    const uint64_t size = load_number<uint32_t>(bytes, at + 4);
    at += 8 + size + size % 2;
  }
  if (at != end && at != end + 1) {  // the last byte of padding may be missing
    throw UnreadableImage(name +
                          ": damaged WebP: its chunks do not add up to the size in its header");
  }
}

void check_webp(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 30) throw UnreadableImage(name + ": damaged WebP: cut off in its header");
  check_webp_chunks(bytes, name);
  const auto kind = bytes.substr(12, 4);
  if (kind == "VP8X") {
    const auto side = [&](size_t at) {  // of 24 bits
      return (uint64_t{load_number<uint32_t>(bytes, at - 1)} >> 8) + 1;
    };
    check_pixels(side(24), side(27), name);
    constexpr uint8_t kAnimated = 2;
    if (static_cast<uint8_t>(bytes[20]) & kAnimated) {
      throw UnreadableImage(name + ": an animated WebP is not supported; store one frame of it");
    }
  } else if (kind == "VP8L") {
    const auto sides = load_number<uint32_t>(bytes, 21);
    check_pixels((sides & 0x3fff) + 1, (sides >> 14 & 0x3fff) + 1, name);
  } else {
    const auto sides = load_number<uint32_t>(bytes, 26);
    check_pixels(sides & 0x3fff, sides >> 16 & 0x3fff, name);
  }
}

// OpenCV's own warnings about broken files would go to the terminal, past our log.
void silence_opencv() {
  static const bool once = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  (void)once;
}

cv::Mat decode_by_opencv(std::string_view bytes) try {
  silence_opencv();
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  return cv::imdecode(raw, cv::IMREAD_UNCHANGED);
} catch (const cv::Exception&) {
  return {};
}

// 16 bits as PIL shows them: grey is clipped at 255, a colour keeps its high byte.
cv::Mat to_bytes(const cv::Mat& deep) {
  cv::Mat bytes(deep.size(), CV_8UC(deep.channels()));
  const bool gray = deep.channels() == 1;
  for (int row = 0; row < deep.rows; ++row) {
    const auto* from = deep.ptr<uint16_t>(row);
    auto* to = bytes.ptr<uint8_t>(row);
    for (int i = 0; i < deep.cols * deep.channels(); ++i) {
      to[i] = static_cast<uint8_t>(gray ? std::min<int>(from[i], 255) : from[i] >> 8);
    }
  }
  return bytes;
}

cv::Mat to_rgb(const cv::Mat& image) {
  cv::Mat rgb;
  switch (image.channels()) {
    case 1:
      cv::cvtColor(image, rgb, cv::COLOR_GRAY2RGB);
      break;
    case 3:
      cv::cvtColor(image, rgb, cv::COLOR_BGR2RGB);
      break;
    default:
      cv::cvtColor(image, rgb, cv::COLOR_BGRA2RGB);
      break;
  }
  return rgb;
}

// A PNG or WebP file, whose header has been checked.
Image decode_other(std::string_view bytes, const std::string& name) {
  cv::Mat image = decode_by_opencv(bytes);
  if (image.empty() || (image.depth() != CV_8U && image.depth() != CV_16U)) {
    throw UnreadableImage(str(name, is_png(bytes) ? ": damaged PNG" : ": damaged WebP"));
  }
  if (image.depth() == CV_16U) image = to_bytes(image);
  const cv::Mat rgb = to_rgb(image);
  return {rgb.rows, rgb.cols, {rgb.datastart, rgb.dataend}};
}

Image decode_jpeg(std::string_view bytes, const std::string& name) {
  Jpeg file(bytes, name);
  Scratch scratch;
  const auto view = file.decode(8, {0, 0, file.height(), file.width()}, scratch);
  Image image{view.height, view.width, {}};
  image.pixels.assign(view.data, view.data + view.stride * view.height);
  return image;
}

}  // namespace

void check_pixels(uint64_t width, uint64_t height, const std::string& name) {
  constexpr uint64_t kMost = kMaxPixels;
  if (width == 0 || height <= kMost / width) return;
  throw UnreadableImage(str(name, ": claims ", width, " x ", height, " pixels, the limit is ",
                            kMaxPixels, "; store it smaller, or remove it"));
}

Image decode_image(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) throw UnreadableImage(str(name, ": the file is empty"));
  if (is_jpeg(bytes)) return decode_jpeg(bytes, name);
  if (is_bmp(bytes)) return decode_bmp(bytes, name);
  if (is_pnm(bytes)) return decode_pnm(bytes, name);
  if (is_tiff(bytes)) return decode_tiff(bytes, name);
  if (is_png(bytes)) {
    check_png(bytes, name);
  } else if (is_webp(bytes)) {
    check_webp(bytes, name);
  } else {
    throw UnreadableImage(str(name,
                              ": damaged, or not an image of a known format (JPEG, PNG, "
                              "WebP, BMP, TIFF, PNM)"));
  }
  return decode_other(bytes, name);
}

Encoded as_ppm(const Image& image) {
  auto file = std::make_shared<std::string>(str("P6\n", image.width, " ", image.height, "\n255\n"));
  file->append(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size());
  return {*file, file};
}

Image read_image(const std::string& path) { return decode_image(read_file(path).bytes, path); }

Image Dataset::load(int64_t i) const { return decode_image(read(i).bytes, name(i)); }

}  // namespace wf
