#pragma once

#include "weightformer/data/unreadable_sample.h"

#include "data/dataset.h"
#include "data/image/image.h"

#include <string>
#include <string_view>

namespace wf {

/// An image that is damaged, empty, too large or of no known format. One line: "file: why".
class UnreadableImage : public UnreadableSample {
 public:
  using UnreadableSample::UnreadableSample;
};

/// More pixels than this are refused before any memory is taken (PIL's limit for an error).
constexpr int64_t kMaxPixels = 178'956'970;

/// Throws UnreadableImage for more than kMaxPixels.
void check_pixels(uint64_t width, uint64_t height, const std::string& name);

/// Decodes JPEG (libjpeg-turbo), TIFF (libtiff), PNG, WebP (OpenCV), BMP and PNM to RGB as PIL's
/// Image.open(file).convert("RGB") does: alpha is dropped, grey repeated, CMYK converted, the EXIF
/// orientation not applied. What PIL shows otherwise is refused. `name` is for messages. Throws
/// UnreadableImage.
Image decode_image(std::string_view bytes, const std::string& name);

/// The bytes of a regular file of at most 1 GiB. Throws UnreadableImage, and wf::Error when the
/// process may open no more files.
Encoded read_file(const std::string& path);

/// `image` as a PPM file, which decode_image() reads back exactly.
Encoded as_ppm(const Image& image);

/// decode_image() of a file.
Image read_image(const std::string& path);

}  // namespace wf
