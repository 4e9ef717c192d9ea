#include "data/image/decode.h"

#include "core/little_endian.h"
#include "data/image/jpeg.h"
#include "data/image/scratch.h"

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

namespace wf {
namespace {

uint32_t read_big(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// The pixel count that the header of a PNG, BMP or WebP claims, so that an absurd one is refused
// before OpenCV allocates for it. Other formats are left to OpenCV's own limit of 2^30 pixels.
std::optional<uint64_t> claimed_pixels(std::string_view bytes) {
  const auto starts = [&](const char* magic, size_t at = 0) {
    return bytes.size() >= 30 && bytes.compare(at, std::strlen(magic), magic) == 0;
  };
  if (starts("\x89PNG")) return uint64_t{read_big(bytes, 16)} * read_big(bytes, 20);
  if (starts("BM")) {
    const auto side = [&](size_t at) {
      return static_cast<uint64_t>(std::abs(int64_t{load_number<int32_t>(bytes, at)}));
    };
    return side(18) * side(22);
  }
  if (starts("WEBPVP8X", 8)) {
    const auto side = [&](size_t at) {  // of 24 bits; 30 bytes are there
      return (uint64_t{load_number<uint32_t>(bytes, at - 1)} >> 8) + 1;
    };
    return side(24) * side(27);
  }
  return std::nullopt;  // plain WebP holds at most 16384 x 16384
}

struct Descriptor {
  explicit Descriptor(const std::string& path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int number;
};

// OpenCV's own warnings about broken files would go to the terminal, past our log.
void silence_opencv() {
  static const bool once = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  (void)once;
}

cv::Mat decode_other(std::string_view bytes) try {
  silence_opencv();
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  return cv::imdecode(raw, cv::IMREAD_UNCHANGED);
} catch (const cv::Exception&) {
  return {};
}

cv::Mat to_rgb(cv::Mat picture) {
  // Deep images: PIL clips 16-bit grey at 255, and shows the high byte of 16-bit colour.
  if (picture.depth() == CV_16U) {
    picture.convertTo(picture, CV_8U, picture.channels() == 1 ? 1.0 : 1.0 / 256, 0);
  } else if (picture.depth() != CV_8U) {
    picture.convertTo(picture, CV_8U);
  }
  cv::Mat rgb;
  switch (picture.channels()) {
    case 1:
      cv::cvtColor(picture, rgb, cv::COLOR_GRAY2RGB);
      break;
    case 3:
      cv::cvtColor(picture, rgb, cv::COLOR_BGR2RGB);
      break;
    case 4:
      cv::cvtColor(picture, rgb, cv::COLOR_BGRA2RGB);
      break;
    default:
      break;
  }
  return rgb;
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

Image decode_image(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) throw UnreadableImage(str(name, ": the file is empty"));
  if (is_jpeg(bytes)) return decode_jpeg(bytes, name);
  const auto claimed = claimed_pixels(bytes);
  if (claimed && *claimed > static_cast<uint64_t>(kMaxPixels)) {
    throw UnreadableImage(str(name, ": claims ", *claimed, " pixels, the limit is ", kMaxPixels));
  }
  const cv::Mat picture = decode_other(bytes);
  if (picture.empty()) {
    throw UnreadableImage(str(name, ": damaged, or not an image of a known format"));
  }
  const cv::Mat rgb = to_rgb(picture);
  if (rgb.empty()) {
    throw UnreadableImage(str(name, ": ", picture.channels(), " channels, expected 1, 3 or 4"));
  }
  Image image;
  image.height = rgb.rows;
  image.width = rgb.cols;
  image.pixels.assign(rgb.datastart, rgb.dataend);
  return image;
}

Encoded read_file(const std::string& path) {
  const auto fail = [&](const char* why) {
    return UnreadableImage(str(path, ": cannot read: ", why));
  };
  const Descriptor file(path);
  struct stat status {};
  if (file.number < 0 || ::fstat(file.number, &status) != 0) throw fail(std::strerror(errno));
  const auto size = static_cast<size_t>(status.st_size);
  const std::shared_ptr<char> bytes(new char[size + 1], std::default_delete<char[]>());
  size_t have = 0;
  while (have < size) {
    const auto count = ::read(file.number, bytes.get() + have, size - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw fail(std::strerror(errno));
    if (count == 0) break;
    have += static_cast<size_t>(count);
  }
  return {{bytes.get(), have}, bytes};
}

Encoded as_ppm(const Image& image) {
  auto file = std::make_shared<std::string>(str("P6\n", image.width, " ", image.height, "\n255\n"));
  file->append(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size());
  return {*file, file};
}

Image read_image(const std::string& path) { return decode_image(read_file(path).bytes, path); }

Image Dataset::load(int64_t i) const { return decode_image(read(i).bytes, name(i)); }

}  // namespace wf
