#pragma once

#include "core/zip_archive.h"

#include <memory>
#include <string>
#include <string_view>

namespace wf {

class MappedFile;

/// The content of an entry of a zip archive.
struct UnpackedEntry {
  std::string_view data;              ///< in the archive's map where it is stored as it is
  std::shared_ptr<const void> owner;  ///< keeps the data where it is
  std::string problem;                ///< why the entry cannot be read; empty: it can
};

/// Unpacks a stored or deflated entry and compares its CRC-32.
UnpackedEntry unpack_entry(const std::shared_ptr<const MappedFile>& archive, const ZipEntry& entry);

}  // namespace wf
