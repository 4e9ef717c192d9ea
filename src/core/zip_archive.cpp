#include "core/zip_archive.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "core/little_endian.h"

#include <algorithm>

namespace wf {
namespace {

constexpr uint32_t kEndMark = 0x06054b50, kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50;
constexpr uint32_t kEntryMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr size_t kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20, kEntrySize = 46,
                 kLocalSize = 30;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // the value is in the zip64 field
constexpr uint16_t kZip64Extra = 1;

struct Directory {
  uint64_t begin = 0, length = 0, entries = 0;
  bool wide = false;
};

bool inside(uint64_t begin, uint64_t length, uint64_t size) {
  return begin <= size && length <= size - begin;
}

// The end record is last, except for a comment of up to 65,535 bytes.
size_t find_end(std::string_view zip, const std::string& path) {
  for (size_t back = kEndSize; back <= std::min(zip.size(), kEndSize + 0xFFFF); ++back) {
    const size_t at = zip.size() - back;
    if (load_number<uint32_t>(zip, at) == kEndMark &&
        load_number<uint16_t>(zip, at + 20) == back - kEndSize) {
      return at;
    }
  }
  throw Error(
      path +
      ": not a zip archive, or truncated (no end-of-central-directory record); copy it again");
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
           ": the zip archive's directory is outside the file; copy it again");
  return found;
}

// Reads the values that exceed 32 bits from the extra fields.
bool widen(std::string_view extra, ZipEntry& entry) {
  while (extra.size() >= 4) {
    const auto id = load_number<uint16_t>(extra, 0), length = load_number<uint16_t>(extra, 2);
    if (length > extra.size() - 4) return false;
    auto field = extra.substr(4, length);
    extra.remove_prefix(4 + size_t{length});
    if (id != kZip64Extra) continue;
    for (uint64_t* value : {&entry.size, &entry.stored, &entry.header}) {
      if (*value != kIn64) continue;
      if (field.size() < 8) return false;
      *value = load_number<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
  }
  return true;
}

// What the writer stores.
constexpr uint64_t kVersion = 45;          // of the format: zip64
constexpr uint64_t kDosDate = 1 << 5 | 1;  // 1 January 1980, as torch writes
constexpr uint64_t kDataAlignment = 64;

std::string le(uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

}  // namespace

bool looks_like_zip(std::string_view file) { return file.substr(0, 4) == "PK\x03\x04"; }

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
  // Old writers let the 16-bit count overflow.
  WF_CHECK(directory.wide ? count == directory.entries : (count & 0xFFFF) == directory.entries,
           path, ": the zip archive's directory has ", count, " entries instead of ",
           directory.entries, "; copy it again");
  return entries;
}

std::optional<std::string_view> zip_data(std::string_view zip, const ZipEntry& entry) {
  if (!inside(entry.header, kLocalSize, zip.size()) ||
      load_number<uint32_t>(zip, entry.header) != kLocalMark) {
    return std::nullopt;
  }
  // The data follows the local header, whose name and extra fields may have other lengths.
  const uint64_t begin = entry.header + kLocalSize + load_number<uint16_t>(zip, entry.header + 26) +
                         load_number<uint16_t>(zip, entry.header + 28);
  if (!inside(begin, entry.stored, zip.size())) return std::nullopt;
  return zip.substr(begin, entry.stored);
}

void ZipWriter::write(const std::string& bytes) {
  file_.write(bytes.data(), bytes.size());
  at_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::string_view data) {
  begin(name, data.size(), checksum(data));
  append(data);
}

void ZipWriter::require_complete() const {
  WF_CHECK(missing_ == 0, "zip archive: ", missing_, " bytes of ", written_.back().name,
           " are missing");
}

void ZipWriter::append(std::string_view data) {
  WF_CHECK(data.size() <= missing_, "zip archive: an entry has more bytes than announced");
  missing_ -= data.size();
  file_.write(data.data(), data.size());
  at_ += data.size();
}

void ZipWriter::begin(const std::string& name, uint64_t size, uint32_t crc) {
  require_complete();
  missing_ = size;
  const uint64_t header = at_;
  const bool wide = size >= zip64_from_;
  std::string extra;
  if (wide) extra = le(kZip64Extra, 2) + le(16, 2) + le(size, 8) + le(size, 8);
  // Padding as an extra field with the tag "FB", as torch writes it.
  const uint64_t before = header + kLocalSize + name.size() + extra.size() + 4;
  const uint64_t padding = (kDataAlignment - before % kDataAlignment) % kDataAlignment;
  extra += "FB" + le(padding, 2) + std::string(padding, 'Z');
  const uint64_t shown = wide ? kIn64 : size;
  write(le(kLocalMark, 4) + le(kVersion, 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(kDosDate, 2) +
        le(crc, 4) + le(shown, 4) + le(shown, 4) + le(name.size(), 2) + le(extra.size(), 2) + name +
        extra);
  written_.push_back({name, header, size, crc});
}

void ZipWriter::finish() {
  require_complete();
  const uint64_t start = at_;
  for (const auto& entry : written_) {
    const bool wide_size = entry.size >= zip64_from_, wide_header = entry.header >= zip64_from_;
    std::string extra;
    if (wide_size) extra += le(entry.size, 8) + le(entry.size, 8);
    if (wide_header) extra += le(entry.header, 8);
    if (!extra.empty()) extra = le(kZip64Extra, 2) + le(extra.size(), 2) + extra;
    const uint64_t shown = wide_size ? kIn64 : entry.size;
    write(le(kEntryMark, 4) + le(kVersion, 2) + le(kVersion, 2) + le(0, 2) + le(0, 2) + le(0, 2) +
          le(kDosDate, 2) + le(entry.crc, 4) + le(shown, 4) + le(shown, 4) +
          le(entry.name.size(), 2) + le(extra.size(), 2) + le(0, 2) + le(0, 2) + le(0, 2) +
          le(0, 4) + le(wide_header ? kIn64 : entry.header, 4) + entry.name + extra);
  }
  const uint64_t size = at_ - start, count = written_.size(), end64 = at_;
  const bool wide = start >= zip64_from_ || size >= zip64_from_ || count >= 0xFFFF;
  if (wide) {
    write(le(kEnd64Mark, 4) + le(kEnd64Size - 12, 8) + le(kVersion, 2) + le(kVersion, 2) +
          le(0, 4) + le(0, 4) + le(count, 8) + le(count, 8) + le(size, 8) + le(start, 8));
    write(le(kLocator64Mark, 4) + le(0, 4) + le(end64, 8) + le(1, 4));
  }
  const uint64_t shown = wide ? 0xFFFF : count;
  write(le(kEndMark, 4) + le(0, 2) + le(0, 2) + le(shown, 2) + le(shown, 2) +
        le(wide ? kIn64 : size, 4) + le(wide ? kIn64 : start, 4) + le(0, 2));
}

}  // namespace wf
