// Zip archives in memory: of images, and as torch.save writes them.
// Source: PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3 (zip64).
//
// Not libzip: it copies what it reads and needs a handle per thread, each with the directory of a
// million files; here one mapping serves all threads and ranks.
#pragma once

#include "core/atomic_file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

bool looks_like_zip(std::string_view file);

/// A file in an archive, as the archive's directory describes it.
struct ZipEntry {
  std::string_view name;  ///< in the archive's bytes
  uint64_t header = 0;    ///< where its local header begins
  uint64_t stored = 0;    ///< bytes in the archive
  uint64_t size = 0;      ///< bytes when unpacked
  uint32_t crc = 0;       ///< checksum() of those
  uint16_t method = 0;    ///< 0: stored, 8: deflated
  bool encrypted = false;

  bool plain() const { return method == 0 && !encrypted && stored == size; }
};

/// The entries of an archive without its directories. Throws wf::Error in one line naming `path`
/// when it is truncated or damaged.
std::vector<ZipEntry> zip_entries(std::string_view archive, const std::string& path);

/// The bytes of `entry`, compressed or not; nullopt when its location is invalid.
std::optional<std::string_view> zip_data(std::string_view archive, const ZipEntry& entry);

/// Writes uncompressed entries whose data starts at multiples of 64 bytes, so
/// that it can be mapped.
class ZipWriter {
 public:
  /// Sizes and offsets from `zip64_from` on are written in the 64-bit form.
  explicit ZipWriter(AtomicFile& file, uint64_t zip64_from = 0xFFFFFFFF)
      : file_(file), zip64_from_(zip64_from) {}

  void add(const std::string& name, std::string_view data);
  /// The same in chunks: begins an entry of `size` bytes whose checksum() is `crc`; append() adds
  /// its data. Throws wf::Error for too many bytes, or for too few at the next entry or finish().
  void begin(const std::string& name, uint64_t size, uint32_t crc);
  void append(std::string_view data);
  /// Writes the directory; nothing may be added afterwards.
  void finish();

 private:
  void write(const std::string& bytes);
  void require_complete() const;

  struct Written {
    std::string name;
    uint64_t header, size;
    uint32_t crc;
  };
  AtomicFile& file_;
  uint64_t zip64_from_, at_ = 0;
  uint64_t missing_ = 0;  // bytes of the entry that is being written
  std::vector<Written> written_;
};

}  // namespace wf
