#pragma once

#include "data/image/image.h"

#include <string>
#include <string_view>

namespace wf {

bool is_bmp(std::string_view bytes);

/// A BMP file as PIL reads it: 1, 4, 8, 16, 24 and 32 bits, uncompressed, with bit fields or run
/// lengths, headers of Windows and OS/2; alpha is dropped. Throws UnreadableImage.
Image decode_bmp(std::string_view bytes, const std::string& name);

}  // namespace wf
