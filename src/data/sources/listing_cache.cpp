// The listing in a file. Layout: magic, CRC-32 of the rest, full path of the root, then the fields
// of Listing; lists and strings begin with their size.

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/checksum.h"
#include "core/little_endian.h"
#include "core/mapped_file.h"
#include "data/sources/listing.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListingMagic = "wflist1\n";
constexpr int64_t kSettled = 2'000'000'000;  // nanoseconds; FAT, the coarsest, counts in 2 s

std::string full_path(const std::string& root) {
  std::error_code problem;
  const auto path = fs::canonical(root, problem);
  return problem ? "" : path.string();
}

void append_text(std::string& out, const std::string& text) {
  append_number<uint64_t>(out, text.size());
  out += text;
}

void append_numbers(std::string& out, const std::vector<uint64_t>& numbers) {
  append_number<uint64_t>(out, numbers.size());
  out.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(uint64_t));
}

std::string serialise(const Listing& listing, const std::string& root) {
  std::string out;
  append_text(out, root);
  append_number<uint64_t>(out, listing.classes.size());
  for (const auto& name : listing.classes) append_text(out, name);
  append_numbers(out, listing.class_ends);
  append_text(out, listing.names);
  append_numbers(out, listing.ends);
  append_number(out, listing.others);
  append_text(out, listing.first_other);
  append_number<uint64_t>(out, listing.folders.size());
  for (const auto& folder : listing.folders) {
    append_text(out, folder.path);
    append_number(out, folder.device);
    append_number(out, folder.inode);
    append_number(out, folder.modified);
    append_number(out, folder.changed);
  }
  std::string file(kListingMagic);
  append_number(file, checksum(out));
  return file + out;
}

// The checksum has been verified, but all values are still range-checked.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T number() {
    need(sizeof(T));
    const T value = load_number<T>(bytes_, at_);
    at_ += sizeof(T);
    return value;
  }
  std::string text() {
    const auto length = number<uint64_t>();
    need(length);
    std::string out(bytes_.substr(at_, length));
    at_ += length;
    return out;
  }
  // The number of members, each of which takes at least `least` bytes.
  uint64_t count(uint64_t least) {
    const auto value = number<uint64_t>();
    WF_CHECK(value <= (bytes_.size() - at_) / least, "the list is too long");
    return value;
  }
  std::vector<uint64_t> numbers() {
    std::vector<uint64_t> out(count(sizeof(uint64_t)));
    for (auto& value : out) value = number<uint64_t>();
    return out;
  }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  void need(uint64_t length) const {
    WF_CHECK(length <= bytes_.size() - at_, "the file is too short");
  }
  std::string_view bytes_;
  size_t at_ = 0;
};

bool ascending_to(const std::vector<uint64_t>& ends, uint64_t last) {
  return std::is_sorted(ends.begin(), ends.end()) && (ends.empty() ? 0 : ends.back()) == last;
}

Listing parse(std::string_view bytes, const std::string& root) {
  Parser in(bytes);
  WF_CHECK(in.text() == root, "of another directory");
  Listing listing;
  listing.classes.resize(in.count(8));
  for (auto& name : listing.classes) name = in.text();
  listing.class_ends = in.numbers();
  listing.names = in.text();
  listing.ends = in.numbers();
  listing.others = in.number<uint64_t>();
  listing.first_other = in.text();
  listing.folders.resize(in.count(40));
  for (auto& folder : listing.folders) {
    folder.path = in.text();
    folder.device = in.number<uint64_t>();
    folder.inode = in.number<uint64_t>();
    folder.modified = in.number<int64_t>();
    folder.changed = in.number<int64_t>();
  }
  WF_CHECK(in.at_end() && listing.class_ends.size() == listing.classes.size() &&
               ascending_to(listing.class_ends, listing.ends.size()) &&
               ascending_to(listing.ends, listing.names.size()) && !listing.folders.empty(),
           "the fields contradict each other");
  return listing;
}

bool unchanged(const Listing& listing, const std::string& root) {
  return std::all_of(listing.folders.begin(), listing.folders.end(), [&](const auto& folder) {
    const std::string path = folder.path.empty() ? root : root + "/" + folder.path;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return false;
    const auto now = stamp_of(info, "");
    return now.device == folder.device && now.inode == folder.inode &&
           now.modified == folder.modified && now.changed == folder.changed;
  });
}

// A cache that is damaged, outdated or of another version is ignored.
std::optional<Listing> take(const std::string& file, const std::string& root) try {
  constexpr size_t kHead = kListingMagic.size() + sizeof(uint32_t);
  const MappedFile mapped(file);
  const auto bytes = mapped.bytes();
  if (bytes.size() < kHead || bytes.substr(0, kListingMagic.size()) != kListingMagic)
    return std::nullopt;
  const auto body = bytes.substr(kHead);
  if (load_number<uint32_t>(bytes, kListingMagic.size()) != checksum(body)) return std::nullopt;
  auto listing = parse(body, root);
  if (!unchanged(listing, root)) return std::nullopt;
  return listing;
} catch (const Error&) {
  return std::nullopt;
}

bool settled(const Listing& listing, int64_t now) {
  return std::all_of(listing.folders.begin(), listing.folders.end(), [&](const auto& folder) {
    return std::max(folder.modified, folder.changed) < now - kSettled;
  });
}

void keep(const std::string& file, const std::string& bytes) try {
  std::error_code ignored;
  fs::create_directories(fs::path(file).parent_path(), ignored);
  AtomicFile out(file);
  out.write(bytes.data(), bytes.size());
  out.commit();
} catch (const Error&) {
  // Without a cache directory, the next start lists again.
}

}  // namespace

FolderStamp stamp_of(const struct stat& info, std::string path) {
  const auto nanoseconds = [](const timespec& t) {
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  return {std::move(path), info.st_dev, info.st_ino, nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

std::string listing_cache_folder() {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text ? text : "");
  };
  const std::string cache = value("XDG_CACHE_HOME"), home = value("HOME");
  // A relative path must be ignored (XDG Base Directory Specification).
  if (!cache.empty() && cache.front() == '/') return cache + "/weightformer";
  return home.empty() ? "" : home + "/.cache/weightformer";
}

std::string listing_cache_file(const std::string& root, const std::string& cache) {
  if (cache.empty()) return "";
  uint64_t hash = 0xCBF29CE484222325ull;  // FNV-1a, 64 bits (Fowler, Noll, Vo)
  for (unsigned char c : full_path(root)) hash = (hash ^ c) * 0x100000001B3ull;
  return cache + "/listing-" + std::to_string(hash) + ".bin";
}

Listing list_folder_cached(const std::string& root, const std::string& cache, int64_t now) {
  const std::string path = full_path(root), file = listing_cache_file(root, cache);
  if (path.empty() || file.empty()) return list_folder(root);
  if (auto known = take(file, path)) return std::move(*known);
  auto listing = list_folder(root);
  if (settled(listing, now)) keep(file, serialise(listing, path));
  return listing;
}

}  // namespace wf
