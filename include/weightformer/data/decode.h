#pragma once

#include "weightformer/core/check.h"
#include "weightformer/data/image.h"

#include <string>

namespace wf {

/// A picture that is damaged, empty, too large or of no known format. One line: "file: why".
class UnreadableImage : public Error {
 public:
  using Error::Error;
};

/// More pixels than this are refused before any memory is taken (PIL's limit for an error).
constexpr int64_t kMaxPixels = 178'956'970;

/// Decodes JPEG (libjpeg-turbo, as PIL does), PNG, WebP, BMP, TIFF, PNM (OpenCV) to RGB: alpha is
/// dropped, grey repeated, CMYK converted as PIL's convert("RGB"), the EXIF orientation not
/// applied. `name` is for messages. Throws UnreadableImage.
Image decode_image(const std::string& bytes, const std::string& name);

/// The same from a file.
Image read_image(const std::string& path);

}  // namespace wf
