#pragma once

#include "weightformer/data/dataset.h"
#include "weightformer/data/mapped_file.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// A file in a zip archive (PKWARE's APPNOTE 6.3, 4.3.12), as the archive's directory describes it.
struct ZipEntry {
  std::string_view name;  // in the archive's bytes
  uint64_t header = 0;    // where its local header begins
  uint64_t stored = 0;    // bytes in the archive
  uint64_t size = 0;      // bytes when unpacked
  uint32_t crc = 0;
  uint16_t method = 0;  // 0: as it is, 8: deflated
  bool encrypted = false;
};

/// The directory of an archive, folders left out; of more than 4 GB and 65,535 files too (zip64).
/// Throws wf::Error in one line when it is cut short or damaged.
std::vector<ZipEntry> zip_entries(std::string_view archive, const std::string& path);

/// The contents of `entry`: in place when they are stored as they are, else unpacked. Checks the
/// CRC. `name` is for messages. Throws UnreadableImage.
Encoded read_zip_entry(const std::shared_ptr<const MappedFile>& archive, const ZipEntry& entry,
                       const std::string& name);

}  // namespace wf
