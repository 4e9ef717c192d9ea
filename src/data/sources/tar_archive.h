// Tar archives in memory, as GNU tar, Python's tarfile and webdataset write them.
// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; the GNU tar manual,
// "Basic Tar Format".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// A regular file in an archive.
struct TarEntry {
  std::string name;    ///< without a leading "./"; control characters are "?"
  uint64_t begin = 0;  ///< of its bytes in the archive
  uint64_t size = 0;
};

struct TarContents {
  std::vector<TarEntry> files;  ///< in the order of the archive
  /// Entries whose bytes are not in the archive as they are: links, sparse files and devices.
  uint64_t skipped = 0;
  std::string first_skipped;  ///< one of them, "NAME (a symbolic link)"
};

/// The regular files of an archive; directories are left out. Long names may be those of GNU tar,
/// of pax and of ustar. Throws wf::Error in one line naming `path` when the archive is compressed,
/// truncated, damaged, of several volumes, or followed by another one.
TarContents tar_contents(std::string_view archive, const std::string& path);

}  // namespace wf
