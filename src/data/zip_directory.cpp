// Our own reader and not libzip's: that one copies what it reads and wants a handle for each
// thread, each with the directory of a million files, where one map serves all threads and ranks.

#include "zip_directory.h"

#include "weightformer/core/check.h"
#include "weightformer/data/decode.h"

#include "checksum.h"
#include "little_endian.h"

#include <zlib.h>

#include <algorithm>

namespace wf {
namespace {

constexpr uint32_t kEndMark = 0x06054b50, kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50;
constexpr uint32_t kEntryMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr size_t kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20, kEntrySize = 46,
                 kLocalSize = 30;
constexpr uint32_t kIn64 = 0xFFFFFFFF;            // the value stands in the zip64 field
constexpr uint64_t kLargest = uint64_t{1} << 30;  // no picture has more bytes
constexpr uint64_t kMostDeflate = 1032;           // bytes that deflate makes of one, at most

struct Directory {
  uint64_t begin = 0, length = 0, entries = 0;
  bool wide = false;
};

bool inside(uint64_t begin, uint64_t length, uint64_t size) {
  return begin <= size && length <= size - begin;
}

// The end record lies last, but for a comment of up to 65,535 bytes.
size_t find_end(std::string_view zip, const std::string& path) {
  for (size_t back = kEndSize; back <= std::min(zip.size(), kEndSize + 0xFFFF); ++back) {
    const size_t at = zip.size() - back;
    if (load_number<uint32_t>(zip, at) == kEndMark &&
        load_number<uint16_t>(zip, at + 20) == back - kEndSize) {
      return at;
    }
  }
  throw Error(path + ": no zip archive, or cut short: its end record is missing; copy it again");
}

Directory find_directory(std::string_view zip, const std::string& path) {
  const size_t end = find_end(zip, path);
  Directory found{load_number<uint32_t>(zip, end + 16), load_number<uint32_t>(zip, end + 12),
                  load_number<uint16_t>(zip, end + 10), false};
  size_t limit = end;
  if (end >= kLocator64Size && load_number<uint32_t>(zip, end - kLocator64Size) == kLocator64Mark) {
    const auto at = load_number<uint64_t>(zip, end - kLocator64Size + 8);
    limit = end - kLocator64Size;
    WF_CHECK(inside(at, kEnd64Size, limit) && load_number<uint32_t>(zip, at) == kEnd64Mark, path,
             ": the zip archive's 64-bit end record is damaged; copy it again");
    found = {load_number<uint64_t>(zip, at + 48), load_number<uint64_t>(zip, at + 40),
             load_number<uint64_t>(zip, at + 32), true};
  }
  WF_CHECK(inside(found.begin, found.length, limit), path,
           ": the zip archive's directory is said to lie outside the file; copy it again");
  return found;
}

// Takes from the extra fields the values that had no room in 32 bits.
bool widen(std::string_view extra, ZipEntry& entry) {
  while (extra.size() >= 4) {
    const auto id = load_number<uint16_t>(extra, 0), length = load_number<uint16_t>(extra, 2);
    if (length > extra.size() - 4) return false;
    auto field = extra.substr(4, length);
    extra.remove_prefix(4 + size_t{length});
    if (id != 1) continue;
    for (uint64_t* value : {&entry.size, &entry.stored, &entry.header}) {
      if (*value != kIn64) continue;
      if (field.size() < 8) return false;
      *value = load_number<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
  }
  return true;
}

struct EndInflate {
  void operator()(z_stream* stream) const { ::inflateEnd(stream); }
};

// Whether `in` unpacks to exactly out.size() bytes.
bool inflate_to(std::string_view in, std::string& out) {
  z_stream stream{};
  if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;  // negative: no zlib header
  const std::unique_ptr<z_stream, EndInflate> cleanup(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  return ::inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
}

std::string_view stored_bytes(std::string_view zip, const ZipEntry& entry,
                              const std::string& name) {
  const auto need = [&](bool good, const char* why) {
    if (!good) throw UnreadableImage(str(name, ": ", why));
  };
  need(!entry.encrypted, "encrypted; make the archive without a password");
  need(entry.method == 0 || entry.method == 8, "packed by a method other than store and deflate");
  need(inside(entry.header, kLocalSize, zip.size()) &&
           load_number<uint32_t>(zip, entry.header) == kLocalMark,
       "the archive has no such file where its directory says");
  const uint64_t begin = entry.header + kLocalSize + load_number<uint16_t>(zip, entry.header + 26) +
                         load_number<uint16_t>(zip, entry.header + 28);
  need(inside(begin, entry.stored, zip.size()), "reaches beyond the end of the archive");
  need(entry.stored <= kLargest && entry.size <= kLargest, "larger than 1 GiB");
  need(entry.method == 8 ? entry.size / kMostDeflate <= entry.stored : entry.size == entry.stored,
       "the two sizes in the archive's directory contradict each other");
  return zip.substr(begin, entry.stored);
}

}  // namespace

std::vector<ZipEntry> zip_entries(std::string_view zip, const std::string& path) {
  const auto directory = find_directory(zip, path);
  std::vector<ZipEntry> entries;
  entries.reserve(std::min(directory.entries, directory.length / kEntrySize));
  auto rest = zip.substr(directory.begin, directory.length);
  uint64_t count = 0;
  for (; !rest.empty(); ++count) {
    const auto need = [&](bool good) {
      WF_CHECK(good, path, ": the zip archive's directory is damaged at its entry ", count,
               "; copy it again");
    };
    need(rest.size() >= kEntrySize && load_number<uint32_t>(rest, 0) == kEntryMark);
    const size_t name = load_number<uint16_t>(rest, 28), extra = load_number<uint16_t>(rest, 30),
                 comment = load_number<uint16_t>(rest, 32);
    need(name + extra + comment <= rest.size() - kEntrySize);
    ZipEntry entry{rest.substr(kEntrySize, name),
                   load_number<uint32_t>(rest, 42),
                   load_number<uint32_t>(rest, 20),
                   load_number<uint32_t>(rest, 24),
                   load_number<uint32_t>(rest, 16),
                   load_number<uint16_t>(rest, 10),
                   (load_number<uint16_t>(rest, 8) & 1) != 0};
    need(widen(rest.substr(kEntrySize + name, extra), entry));
    if (!entry.name.empty() && entry.name.back() != '/') entries.push_back(entry);
    rest.remove_prefix(kEntrySize + name + extra + comment);
  }
  // Old writers let their 16-bit count overflow.
  WF_CHECK(directory.wide ? count == directory.entries : (count & 0xFFFF) == directory.entries,
           path, ": the zip archive's directory has ", count, " entries and is said to have ",
           directory.entries, "; copy it again");
  return entries;
}

Encoded read_zip_entry(const std::shared_ptr<const MappedFile>& archive, const ZipEntry& entry,
                       const std::string& name) {
  if (!archive->whole()) {
    throw UnreadableImage(name + ": the archive has become shorter since it was opened");
  }
  auto bytes = stored_bytes(archive->bytes(), entry, name);
  archive->will_need(static_cast<size_t>(bytes.data() - archive->bytes().data()), bytes.size());
  std::shared_ptr<const void> owner = archive;
  if (entry.method == 8) {
    const auto unpacked = std::make_shared<std::string>(entry.size, '\0');
    if (!inflate_to(bytes, *unpacked)) {
      throw UnreadableImage(name + ": damaged in the archive (it does not unpack)");
    }
    bytes = *unpacked;
    owner = unpacked;
  }
  if (checksum(bytes) != entry.crc) {
    throw UnreadableImage(name + ": damaged in the archive (its CRC-32 does not match)");
  }
  return {bytes, owner};
}

}  // namespace wf
