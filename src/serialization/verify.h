// Checksums inside files of weights, verified in advance or during loading.
#pragma once

#include "weightformer/serialization/safetensors.h"

#include <cstdint>
#include <vector>

namespace wf {

class MappedFile;

/// A part of a file and the memory that it is copied to.
struct Destination {
  uint64_t begin = 0, size = 0;
  void* to = nullptr;
};

/// Verifies all ranges in torch's threads. The `destinations` are copied on the way, so that the
/// file is read only once; they are in the order of the file, do not overlap, and each is inside
/// one range. Throws wf::Error naming the first range whose checksum differs; the copies must then
/// not be used.
void verify(const MappedFile& file, const std::vector<ChecksummedRange>& ranges,
            const std::vector<Destination>& destinations = {});

}  // namespace wf
