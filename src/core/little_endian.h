#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace wf {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are read and written as they lie");

/// The number that begins at `at`; the caller has checked that it is inside.
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
