#include "data/sources/tar_archive.h"

#include "weightformer/core/check.h"

#include "core/text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace wf {
namespace {

constexpr uint64_t kBlock = 512;
constexpr uint64_t kLongestExtension = uint64_t{1} << 20;  // a long name or a pax header, bytes
constexpr size_t kLongestName = 4096;                      // bytes, as of a path on Linux
constexpr uint64_t kLongestPadding = uint64_t{1} << 20;    // searched for another archive

// Up to the first zero byte.
std::string_view text_of(std::string_view field) { return field.substr(0, field.find('\0')); }

// Octal digits with blanks or zeros around, or binary (GNU) when the first bit is set; nullopt for
// anything else.
std::optional<uint64_t> tar_number(std::string_view field) {
  if (static_cast<uint8_t>(field[0]) >= 0x80) {
    uint64_t value = static_cast<uint8_t>(field[0]) & 0x7Fu;  // a negative number is too large
    for (const char c : field.substr(1)) {
      if (value >> 55) return std::nullopt;
      value = value << 8 | static_cast<uint8_t>(c);
    }
    return value;
  }
  const auto first = field.find_first_not_of(' ');
  if (first == std::string_view::npos) return 0;
  auto digits = text_of(field.substr(first));
  digits = digits.substr(0, digits.find(' '));
  if (digits.empty()) return 0;
  uint64_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto [stop, problem] = std::from_chars(digits.data(), end, value, 8);
  if (stop != end || problem != std::errc()) return std::nullopt;
  return value;
}

// The fields of a header block.
struct Header {
  explicit Header(std::string_view block) : block(block) {}
  std::string_view field(size_t at, size_t size) const { return block.substr(at, size); }
  char type() const { return block[156]; }
  std::optional<uint64_t> size() const { return tar_number(field(124, 12)); }
  bool is_zero() const { return block.find_first_not_of('\0') == std::string_view::npos; }

  // Some old programs added the bytes as signed numbers.
  bool has_right_checksum() const {
    const auto stored = tar_number(field(148, 8));
    if (!stored) return false;
    int64_t sum = 8 * ' ', with_sign = 8 * ' ';
    for (size_t i = 0; i < kBlock; ++i) {
      if (i >= 148 && i < 156) continue;
      sum += static_cast<uint8_t>(block[i]);
      with_sign += static_cast<int8_t>(block[i]);
    }
    const auto wanted = static_cast<int64_t>(*stored);
    return wanted == sum || wanted == with_sign;
  }

  std::string name() const {
    const auto own = text_of(field(0, 100));
    // GNU tar's own format has "ustar  " and other things in the place of the prefix.
    const auto prefix =
        field(257, 6) == std::string_view("ustar\0", 6) ? text_of(field(345, 155)) : "";
    return prefix.empty() ? std::string(own) : str(prefix, "/", own);
  }

  std::string_view block;
};

// Of the entries that follow a pax header or a GNU long name.
struct Overrides {
  std::optional<std::string> name;
  std::optional<uint64_t> size;
  bool sparse = false;
};

class TarReader {
 public:
  TarReader(std::string_view archive, const std::string& path) : archive_(archive), path_(path) {}

  TarContents read() {
    require_uncompressed();
    while (true) {
      WF_CHECK(at_ < archive_.size(), path_, ": cut short after ", at_,
               " bytes: the two blocks of zeros at the end are missing; copy it again (where it is "
               "known to be complete, truncate -s +1024 adds them)");
      const Header header(take(kBlock, "a header"));
      if (header.is_zero()) break;
      WF_CHECK(header.has_right_checksum(), path_, ": ",
               at_ == kBlock ? "no tar archive" : str("damaged at byte ", at_ - kBlock),
               ": the checksum of the header does not match; copy it again");
      read_entry(header);
    }
    require_no_other_archive();
    return std::move(contents_);
  }

 private:
  void require_uncompressed() const {
    const char* packed = starts_with(archive_, "\x1f\x8b")       ? "gzip"
                         : starts_with(archive_, "\x28\xb5\x2f") ? "zstd"
                         : starts_with(archive_, "BZh")          ? "bzip2"
                         : starts_with(archive_, "\xfd\x37zXZ")  ? "xz"
                                                                 : nullptr;
    WF_CHECK(!packed, path_, ": is compressed by ", packed ? packed : "",
             ", and images are read from any place of it: unpack it once, to a plain .tar");
    WF_CHECK(!archive_.empty(), path_, ": is empty, no tar archive");
  }

  // The rest of a block is padding, which may be missing at the end of a file.
  std::string_view take(uint64_t size, const std::string& what) {
    const uint64_t left = archive_.size() - at_;
    WF_CHECK(size <= left, path_, ": cut short: ", what, " needs the bytes ", at_, " to ",
             at_ + std::min(size, uint64_t{1} << 62), ", and there are ", archive_.size(),
             "; copy it again");
    const auto bytes = archive_.substr(at_, size);
    at_ += size;
    at_ += std::min((kBlock - size % kBlock) % kBlock, archive_.size() - at_);
    return bytes;
  }

  uint64_t checked_size(const Header& header) const {
    const auto size = header.size();
    WF_CHECK(size.has_value(), path_, ": damaged at byte ", at_ - kBlock,
             ": the size is no number; copy it again");
    return *size;
  }

  void read_entry(const Header& header) {
    const char type = header.type();
    const uint64_t size = checked_size(header);
    if (type == 'x' || type == 'X' || type == 'g' || type == 'L' || type == 'K') {
      WF_CHECK(size <= kLongestExtension, path_, ": damaged at byte ", at_ - kBlock,
               ": a name or an extended header of ", size, " bytes");
      const auto data = take(size, "an extended header");
      // A global header ('g') has comments; names in it would be those of every file.
      if (type == 'L') next_.name = std::string(text_of(data));
      if (type == 'x' || type == 'X') read_records(data);
      return;
    }
    auto overrides = std::exchange(next_, {});
    auto name = overrides.name ? std::move(*overrides.name) : header.name();
    while (starts_with(name, "./")) name.erase(0, 2);
    WF_CHECK(name.size() <= kLongestName, path_, ": damaged before byte ", at_, ": a name of ",
             name.size(), " bytes");
    for (char& c : name) {
      if (static_cast<uint8_t>(c) < ' ' || c == '\x7f') c = '?';  // names are in lines of text
    }
    add(header, type, std::move(name), overrides.size.value_or(size), overrides.sparse);
  }

  void add(const Header& header, char type, std::string name, uint64_t size, bool sparse) {
    // Links, devices and directories have no data, whatever their size is.
    const bool bare = type >= '1' && type <= '6';
    const bool regular = type == '0' || type == '\0' || type == '7';
    WF_CHECK(type != 'M', path_, ": ", name,
             ": continues a file of another volume; volumes must be joined first");
    const bool directory = type == '5' || type == 'D' || (regular && ends_with(name, "/"));
    if (type == 'S') skip_sparse_map(header);
    const uint64_t begin = at_;
    if (!bare) take(size, name);
    if (directory || type == 'V') return;
    const char* why = sparse || type == 'S' ? "a sparse file"
                      : type == '1'         ? "a hard link"
                      : type == '2'         ? "a symbolic link"
                      : regular             ? nullptr
                                            : "no regular file";
    if (!why) return contents_.files.push_back({std::move(name), begin, size});
    if (contents_.skipped++ == 0) contents_.first_skipped = str(name, " (", why, ")");
  }

  // GNU's old sparse files: more of the map follows the header while a byte is set.
  void skip_sparse_map(const Header& header) {
    bool more = header.block[482] != '\0';
    while (more) more = take(kBlock, "the map of a sparse file")[504] != '\0';
  }

  // "LENGTH KEY=VALUE\n", where the length counts the record itself.
  void read_records(std::string_view records) {
    const uint64_t header = at_;
    while (!records.empty()) {
      const auto blank = records.find(' ');
      uint64_t length = 0;
      if (blank != std::string_view::npos) {
        const auto [stop, problem] =
            std::from_chars(records.data(), records.data() + blank, length);
        if (stop != records.data() + blank || problem != std::errc()) length = 0;
      }
      WF_CHECK(length > blank + 1 && length <= records.size() && records[length - 1] == '\n', path_,
               ": damaged before byte ", header, ": no records of a pax header; copy it again");
      const auto record = records.substr(blank + 1, length - blank - 2);
      records.remove_prefix(length);
      const auto key = record.substr(0, record.find('='));
      if (key.size() < record.size()) apply(key, record.substr(key.size() + 1));
    }
  }

  void apply(std::string_view key, std::string_view value) {
    if (key == "path") next_.name = std::string(text_of(value));
    if (starts_with(key, "GNU.sparse.")) next_.sparse = true;
    if (key == "GNU.sparse.name") next_.name = std::string(text_of(value));
    if (key != "size") return;
    uint64_t size = 0;
    const auto end = value.data() + value.size();
    const auto [stop, problem] = std::from_chars(value.data(), end, size);
    WF_CHECK(stop == end && problem == std::errc(), path_, ": damaged before byte ", at_,
             ": the size in a pax header is no number; copy it again");
    next_.size = size;
  }

  // Programs stop at the first end mark, so what was joined by `cat` would be lost unnoticed.
  void require_no_other_archive() const {
    const uint64_t end = std::min<uint64_t>(archive_.size(), at_ + kLongestPadding);
    for (uint64_t at = at_; at + kBlock <= end; at += kBlock) {
      const Header header(archive_.substr(at, kBlock));
      if (header.is_zero()) continue;
      WF_CHECK(!header.has_right_checksum(), path_, ": another archive follows at byte ", at,
               ", which tar ignores too; join archives by tar --concatenate, or keep them apart");
      return;
    }
  }

  std::string_view archive_;
  const std::string& path_;
  uint64_t at_ = 0;
  Overrides next_;
  TarContents contents_;
};

}  // namespace

TarContents tar_contents(std::string_view archive, const std::string& path) {
  return TarReader(archive, path).read();
}

}  // namespace wf
