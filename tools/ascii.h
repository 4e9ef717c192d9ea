// Text for fonts with only ASCII characters, such as those of OpenCV.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace wf {

/// `text`, UTF-8, with accents removed from the letters of western European languages ("grün" →
/// "grun") and every other character replaced by its code ("写" → "U+5199").
inline std::string ascii(std::string_view text) {
  // U+00C0 to U+00FF.
  static constexpr const char* kLetters[64] = {
      "A", "A", "A", "A", "A", "A", "AE", "C", "E", "E", "E", "E", "I", "I", "I",  "I",
      "D", "N", "O", "O", "O", "O", "O",  "x", "O", "U", "U", "U", "U", "Y", "Th", "ss",
      "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",  "i",
      "d", "n", "o", "o", "o", "o", "o",  "/", "o", "u", "u", "u", "u", "y", "th", "y"};
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first < 0x80) {
      out += first < 0x20 ? ' ' : static_cast<char>(first);
      continue;
    }
    uint32_t code = first >= 0xF0 ? first & 0x07u : first >= 0xE0 ? first & 0x0Fu : first & 0x1Fu;
    while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u) {
      code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3Fu);
    }
    if (code >= 0xC0 && code <= 0xFF) {
      out += kLetters[code - 0xC0];
    } else if (code < 0x300 || code > 0x36F) {  // combining accents
      char number[16];
      std::snprintf(number, sizeof number, "U+%04X", static_cast<unsigned>(code));
      out += number;
    }
  }
  return out;
}

}  // namespace wf
