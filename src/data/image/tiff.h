#pragma once

#include "data/image/image.h"

#include <string>
#include <string_view>

namespace wf {

bool is_tiff(std::string_view bytes);

/// The first image of a TIFF file as PIL's convert("RGB") shows it: alpha is dropped, 16-bit
/// colours keep their high byte, numbers of 16 bits and more in one channel are clipped at 255, and
/// the orientation of the file is applied (which PIL does only for TIFF). Kinds that PIL shows in
/// another way than libtiff reads them are refused by name. Throws UnreadableImage.
Image decode_tiff(std::string_view bytes, const std::string& name);

}  // namespace wf
