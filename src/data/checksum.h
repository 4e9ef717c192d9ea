#pragma once

#include <zlib.h>

#include <cstdint>
#include <string_view>

namespace wf {

/// The CRC-32 of `bytes`, as zip archives have it; `before` is that of what came before them.
inline uint32_t checksum(std::string_view bytes, uint32_t before = 0) {
  return static_cast<uint32_t>(
      ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace wf
