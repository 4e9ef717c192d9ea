#pragma once

#include <cstdint>
#include <string_view>

namespace wf {

/// The CRC-32 of `bytes` as in zip archives (ITU-T V.42, reflected 0x04C11DB7), continued from
/// `before`, the CRC-32 of the preceding bytes. Large checkpoints are verified at each start: with
/// carry-less multiplication this runs at memory speed, which zlib's does not.
uint32_t checksum(std::string_view bytes, uint32_t before = 0);

/// The checksum of two consecutive parts from the checksums of each; `second_size` is in bytes.
uint32_t checksum_of_both(uint32_t first, uint32_t second, uint64_t second_size);

/// checksum() on any processor, for tests.
uint32_t checksum_portable(std::string_view bytes, uint32_t before = 0);

}  // namespace wf
