#pragma once

#include "data/dataset.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace wf {

struct PackOptions {
  int side = 0;      ///< shorter sides longer than this are reduced to it; 0: all bytes unchanged
  int quality = 90;  ///< of the JPEGs that this makes, 1 to 100
  int threads = 1;
  std::string root;  ///< "root/" is removed from the names of the images
  std::function<void(int64_t done, int64_t all)> progress;  ///< called regularly
};

struct PackReport {
  int64_t packed = 0;
  int64_t reduced = 0;               ///< of these, reduced
  uint64_t bytes = 0;                ///< of the file
  std::vector<std::string> skipped;  ///< "image: why", in the set's order
};

/// Writes `images` to the packed file `output`, in their order and with the same bytes for any
/// number of threads. An image that cannot be read, or with `side` not be decoded, is left out and
/// reported. Reducing is antialiased bicubic (as PIL), to JPEG. Throws wf::Error when the
/// file cannot be written or nothing would be in it.
PackReport pack(const Dataset& pictures, const std::string& output, const PackOptions& options);

}  // namespace wf
