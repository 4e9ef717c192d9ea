// Tar archives for tests, header by header, so that each field can be wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wf::testing {

struct TarItem {
  std::string name, bytes;
  char type = '0';
  std::string size_field = {};  ///< 12 bytes instead of the octal size
};

inline std::string octal(uint64_t value, size_t width) {
  std::string text(width - 1, '0');
  for (size_t i = width - 1; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
  return text + '\0';
}

inline std::string tar_header(const TarItem& item) {
  std::string header(512, '\0');
  header.replace(0, item.name.size(), item.name);
  header.replace(100, 8, octal(0644, 8));
  header.replace(124, 12, item.size_field.empty() ? octal(item.bytes.size(), 12) : item.size_field);
  header.replace(148, 8, "        ");
  header[156] = item.type;
  header.replace(257, 8, std::string("ustar\0", 6) + "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<uint8_t>(c);
  header.replace(148, 7, octal(sum, 7));
  return header;
}

/// Names of up to 100 bytes. With the two blocks of zeros at the end.
inline std::string tar_bytes(const std::vector<TarItem>& items) {
  std::string out;
  for (const auto& item : items) {
    out += tar_header(item) + item.bytes;
    out.resize((out.size() + 511) / 512 * 512, '\0');
  }
  return out + std::string(1024, '\0');
}

}  // namespace wf::testing
