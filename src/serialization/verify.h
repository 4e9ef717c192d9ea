// Checksums inside files of weights, compared alone or on the way into memory.
#pragma once

#include "weightformer/serialization/safetensors.h"

#include <cstdint>
#include <vector>

namespace wf {

class MappedFile;

/// Where a part of a file is copied to.
struct Destination {
  uint64_t begin = 0, size = 0;
  void* to = nullptr;
};

/// Compares all stretches, in as many threads as torch has. What `destinations` ask for is copied
/// on the way, so that the file is read once for both; they are in the order of the file, do not
/// overlap, and each lies inside one stretch. Throws wf::Error naming the first stretch whose
/// checksum differs; what was copied is then not to be used.
void verify(const MappedFile& file, const std::vector<Stretch>& stretches,
            const std::vector<Destination>& destinations = {});

}  // namespace wf
