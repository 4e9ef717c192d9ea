// The content of a file of torch.save, without torch: a tree of values and the locations of the
// tensors' bytes.
#pragma once

#include "serialization/pickle.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace wf {

struct StorageRegion {
  uint64_t offset = 0, size = 0;  ///< bytes in the file
  std::optional<uint32_t> crc;    ///< CRC-32; the old format has none
};

struct TorchFile {
  pickle::Document document;
  std::map<std::string, StorageRegion> storages;  ///< by key; all that the document refers to
};

/// Whether `file` begins as a zip archive or as the format that PyTorch wrote before 1.6.
bool looks_like_torch(std::string_view file);

/// Parses a complete file in memory. Every tensor of the document is inside its region, every
/// region inside the file. Throws wf::Error naming `where` for any damage. Checks the CRC-32 of the
/// tree, not of the tensors' bytes.
TorchFile parse_torch_file(std::string_view file, const std::string& where);

}  // namespace wf
