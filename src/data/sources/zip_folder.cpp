#include "data/sources/zip_folder.h"

#include "weightformer/core/check.h"

#include "core/unpack_entry.h"
#include "data/image/decode.h"
#include "data/sources/class_names.h"
#include "data/sources/image_name.h"
#include "runtime/log.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <unordered_map>

namespace wf {

struct ZipFolder::Item {
  ZipEntry entry;  // named as in the map; an invalid method when the archive lacks it
  int32_t label = 0;
  bool missing = false;
};

namespace {

constexpr int32_t kMostClasses = 1'000'000;       // more means that the file is not a map
constexpr uint64_t kLargest = uint64_t{1} << 30;  // larger than any image

// The path and the label of a line.
std::pair<std::string_view, int32_t> parse_line(std::string_view line, const std::string& where) {
  const auto tab = line.rfind('\t');
  int32_t label = -1;
  if (tab != std::string_view::npos) {
    const auto digits = line.substr(tab + 1);
    const auto end = digits.data() + digits.size();
    const auto [stop, problem] = std::from_chars(digits.data(), end, label);
    if (stop != end || problem != std::errc()) label = -1;
  }
  WF_CHECK(tab != std::string_view::npos && tab > 0 && label >= 0 && label < kMostClasses, where,
           ": expected path/in/zip, a tab and a class number, got '", line.substr(0, 80), "'");
  return {line.substr(0, tab), label};
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// In place when it is stored uncompressed, else unpacked.
Encoded read_entry(const std::shared_ptr<const MappedFile>& archive, const ZipEntry& entry,
                   const std::string& name) {
  const bool huge = entry.stored > kLargest || entry.size > kLargest;
  if (huge) throw UnreadableImage(name + ": larger than 1 GiB");
  const auto unpacked = unpack_entry(archive, entry);
  if (!unpacked.problem.empty()) throw UnreadableImage(name + ": " + unpacked.problem);
  return {unpacked.data, unpacked.owner};
}

}  // namespace

ZipFolder::ZipFolder(const std::string& archive, const std::string& map, ZipFolderOptions options)
    : archive_(std::make_shared<const MappedFile>(archive)) {
  if (map.empty()) {
    take_all();
  } else {
    read_map(map);
    find_pictures(map);
    name_classes(std::move(options.classes), map);
  }
  read_ahead_ = std::make_unique<ReadAhead>(archive_, options.cache);
}

ZipFolder::~ZipFolder() = default;

void ZipFolder::read_map(const std::string& map) {
  map_text_ = std::string(MappedFile(map).bytes());
  std::string_view rest = map_text_;
  for (int64_t number = 1; !rest.empty(); ++number) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    auto [path, label] = parse_line(line, str(map, ":", number));
    if (path.front() == '/') path.remove_prefix(1);
    Item picture;
    picture.entry.name = path;
    picture.label = label;
    pictures_.push_back(picture);
  }
  WF_CHECK(!pictures_.empty(), map,
           ": names no image; expected lines of path/in/zip, a tab and "
           "a class number");
}

void ZipFolder::find_pictures(const std::string& map) {
  const auto entries = zip_entries(archive_->bytes(), archive_->path());
  std::unordered_map<std::string_view, size_t> by_name;
  by_name.reserve(entries.size());
  // Of two entries with one name the last counts, as in Python.
  for (size_t i = 0; i < entries.size(); ++i) by_name[entries[i].name] = i;
  std::vector<bool> used(entries.size());
  int64_t missing = 0;
  std::string example;
  for (auto& picture : pictures_) {
    const auto name = picture.entry.name;
    const auto at = by_name.find(name);
    picture.missing = at == by_name.end();
    if (picture.missing) {
      if (missing++ == 0) example = name;
      continue;
    }
    picture.entry = entries[at->second];
    picture.entry.name = name;
    used[at->second] = true;
  }
  WF_CHECK(missing < size(), archive_->path(), ": holds none of the ", size(), " images that ", map,
           " names, such as ", example);
  if (missing > 0) {
    log::warning(
        "{}: {} of the {} images that {} names are not in it, such as {}; they count "
        "as unreadable",
        archive_->path(), missing, size(), map, example);
  }
  int64_t unused = 0;
  for (const auto& [name, i] : by_name) {
    unused += !used[i] && is_picture(name.substr(name.rfind('/') + 1));
  }
  if (unused > 0) {
    log::warning("{}: {} images are left out, as {} does not name them", archive_->path(), unused,
                 map);
  }
}

void ZipFolder::take_all() {
  for (const auto& entry : zip_entries(archive_->bytes(), archive_->path())) {
    if (!is_picture(entry.name.substr(entry.name.rfind('/') + 1))) continue;
    Item picture;
    picture.entry = entry;
    pictures_.push_back(picture);
  }
  WF_CHECK(!pictures_.empty(), archive_->path(),
           ": no images in it (jpg, jpeg, png, bmp, webp, ppm, pgm, tif, tiff)");
}

void ZipFolder::name_classes(std::vector<std::string> known, const std::string& map) {
  int32_t largest = 0;
  for (const auto& picture : pictures_) largest = std::max(largest, picture.label);
  std::vector<std::string> found(static_cast<size_t>(largest) + 1);
  bool named = true;
  for (const auto& picture : pictures_) {
    const auto folder = folder_of(picture.entry.name);
    auto& name = found[picture.label];
    if (name.empty()) name = folder;
    named = named && !folder.empty() && name == folder;
  }
  for (auto& name : found) name = name.substr(name.rfind('/') + 1);
  const std::set<std::string> different(found.begin(), found.end());
  named = named && different.size() == found.size() && different.count("") == 0;
  if (!named) {
    for (size_t i = 0; i < found.size(); ++i) found[i] = std::to_string(i);
  }
  if (known.empty()) {
    classes_ = std::move(found);
    number_classes(classes_, classes_, map);  // for its checks of the names
    return;
  }
  classes_ = std::move(known);
  WF_CHECK(found.size() <= classes_.size(), map, ": has the class number ", largest,
           ", and the training set has only the classes 0 to ", classes_.size() - 1);
  for (size_t i = 0; named && i < found.size(); ++i) {
    const auto at = std::find(classes_.begin(), classes_.end(), found[i]);
    WF_CHECK(at == classes_.end() || at - classes_.begin() == static_cast<int64_t>(i), map,
             ": gives the class ", found[i], " the number ", i, ", and in training it has ",
             at - classes_.begin());
  }
}

int64_t ZipFolder::size() const { return static_cast<int64_t>(pictures_.size()); }
int64_t ZipFolder::label(int64_t i) const { return pictures_[i].label; }

std::string ZipFolder::name(int64_t i) const {
  return archive_->path() + "/" + std::string(pictures_[i].entry.name);
}

Encoded ZipFolder::read(int64_t i) const {
  if (pictures_[i].missing) {
    throw UnreadableImage(name(i) + ": the map names it and the archive lacks it");
  }
  return read_entry(archive_, pictures_[i].entry, name(i));
}

}  // namespace wf
