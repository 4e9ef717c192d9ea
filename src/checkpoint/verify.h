#pragma once

#include "weightformer/core/mapped_file.h"

#include <string>
#include <vector>

namespace wf {

/// A part of a file whose checksum() is known.
struct Stretch {
  std::string what;  ///< for the message
  uint64_t begin = 0, size = 0;
  uint32_t checksum = 0;
};

/// Compares all of them, in as many threads as torch has. Throws wf::Error naming the first whose
/// checksum differs.
void verify(const MappedFile& file, const std::vector<Stretch>& stretches);

}  // namespace wf
