#pragma once

#include "data/image/image.h"

#include <string>
#include <string_view>

namespace wf {

/// Whether `bytes` begin as a PBM, PGM or PPM file does (P1 to P6).
bool is_pnm(std::string_view bytes);

/// A PBM, PGM or PPM file of any maximum value up to 65535, plain or binary, as PIL reads it:
/// samples of PPM and of PGM up to 255 are scaled to 0 … 255; deeper PGM is scaled to 0 … 65535 and
/// then clipped at 255. Throws UnreadableImage.
Image decode_pnm(std::string_view bytes, const std::string& name);

}  // namespace wf
