#pragma once

#include <cstdint>
#include <string_view>

namespace wf {

/// The CRC-32 of `bytes`, as zip archives have it (ITU-T V.42, reflected 0x04C11DB7); `before` is
/// that of what came before them. A checkpoint of gigabytes is compared at each start: where the
/// processor multiplies without carry this runs at the memory's speed, as zlib's does not.
uint32_t checksum(std::string_view bytes, uint32_t before = 0);

/// checksum() of two parts in a row from theirs; `second_size` is in bytes.
uint32_t checksum_of_both(uint32_t first, uint32_t second, uint64_t second_size);

/// checksum() on any processor, for tests.
uint32_t checksum_portable(std::string_view bytes, uint32_t before = 0);

}  // namespace wf
