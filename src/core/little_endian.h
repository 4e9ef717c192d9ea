#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace wf {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "file formats assume a little-endian host");

/// The number at offset `at`; the caller has checked the bounds.
template <typename T>
T load_number(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <typename T>
void append_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace wf
