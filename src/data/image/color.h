// Colour conversions of stored images, as PIL's convert("RGB") does them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace wf {

/// PIL's CMYK → RGB for one pixel: 255 - C - K + C*K/255 with its rounding. 0 is no ink.
inline void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb) {
  const int white = 255 - cmyk[3];
  for (size_t channel = 0; channel < 3; ++channel) {
    const int product = cmyk[channel] * white + 128;
    const int covered = (product + (product >> 8)) >> 8;  // product / 255, rounded
    rgb[channel] = static_cast<uint8_t>(std::max(0, white - covered));
  }
}

/// `value` of 0 … `largest` as 0 … 255, rounded down: how PIL widens the channels of 16-bit BMP.
inline uint8_t widen(uint32_t value, uint32_t largest) {
  return static_cast<uint8_t>(value * 255 / largest);
}

}  // namespace wf
