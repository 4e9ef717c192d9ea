#include "data/sources/tar_index.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "data/parallel.h"
#include "data/sources/tar_samples.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace wf {
namespace {

constexpr std::string_view kTarIndexMagic = "wftidx1\n";
constexpr size_t kTarIndexHead = 12, kTarRecord = 32;

void append_text_to(std::string& out, std::string_view text) {
  append_number<uint64_t>(out, text.size());
  out += text;
}

// The checksum has been verified, but all values are still range-checked.
class IndexParser {
 public:
  explicit IndexParser(std::string_view bytes) : rest_(bytes) {}
  template <typename T>
  T number() {
    return load_number<T>(take(sizeof(T)), 0);
  }
  std::string_view text() { return take(number<uint64_t>()); }
  // The number of members, each of which takes at least `least` bytes.
  uint64_t count(uint64_t least) {
    const auto value = number<uint64_t>();
    WF_CHECK(value <= rest_.size() / least, "a list is too long");
    return value;
  }
  std::string_view take(uint64_t size) {
    WF_CHECK(size <= rest_.size(), "the file is too short");
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// An archive with those inside it, in order.
struct Archives {
  std::vector<TarPlace> places;
  std::vector<FoundImages> found;
  uint64_t skipped = 0;
  std::string first_skipped;

  void count_skipped(const TarContents& contents, const TarPlace& place) {
    if (skipped == 0 && contents.skipped > 0) {
      first_skipped = place.name_prefix + contents.first_skipped;
    }
    skipped += contents.skipped;
  }
};

// Splits the archives inside off `contents`.
std::vector<TarPlace> take_inner_archives(TarContents& contents, std::string_view archive,
                                          const std::string& path) {
  std::vector<TarPlace> places;
  std::set<std::string> seen;
  const auto inner = [&](const TarEntry& entry) {
    const auto file = entry.name.substr(entry.name.rfind('/') + 1);
    if (!ends_with(file, ".tar") || file.front() == '.') return false;
    WF_CHECK(seen.insert(entry.name).second, path, ": ", entry.name,
             " is there twice; write the file again without one");
    places.push_back({str(path, "/", entry.name), entry.name + "/",
                      entry.name.substr(0, entry.name.size() - 4), entry.begin,
                      archive.substr(entry.begin, entry.size)});
    return true;
  };
  auto& files = contents.files;
  std::vector<TarEntry> others;
  for (auto& entry : files) {
    if (!inner(entry)) others.push_back(std::move(entry));
  }
  files = std::move(others);
  return places;
}

Archives read_archives(std::string_view archive, const std::string& path, int threads) {
  Archives all;
  auto outer = tar_contents(archive, path);
  all.places = take_inner_archives(outer, archive, path);
  all.places.insert(all.places.begin(), TarPlace{path, "", "", 0, archive});
  const auto count = static_cast<int64_t>(all.places.size());
  all.found.resize(all.places.size());
  std::vector<TarContents> skipped(all.places.size());
  in_parallel(count, threads, [&](int64_t i) {
    const auto& place = all.places[i];
    auto contents = i == 0 ? std::move(outer) : tar_contents(place.bytes, place.path);
    all.found[i] = find_images(contents, place);
    contents.files.clear();
    skipped[i] = std::move(contents);
  });
  for (int64_t i = 0; i < count; ++i) all.count_skipped(skipped[i], all.places[i]);
  return all;
}

bool all_labeled_alike(const Archives& all) {
  const FoundImages* first = nullptr;
  for (size_t i = 0; i < all.found.size(); ++i) {
    if (all.found[i].images.empty()) continue;
    if (!first) first = &all.found[i];
    WF_CHECK(first->labeled == all.found[i].labeled, all.places[i].path, ": ",
             all.found[i].images.front().name, " has ", first->labeled ? "no " : "a ",
             ".cls, .json or .txt file and ", first->images.front().name, " has ",
             first->labeled ? "one" : "none", ": expected the same of all");
  }
  return first && first->labeled;
}

}  // namespace

std::string make_tar_index(std::string_view archive, const std::string& path, const TarStamp& stamp,
                           int threads) {
  const auto all = read_archives(archive, path, threads);
  std::unordered_map<std::string_view, uint32_t> numbers;
  std::string groups, records, names;
  uint64_t samples = 0, others = 0;
  std::string first_other;
  const bool labeled = all_labeled_alike(all);
  for (const auto& found : all.found) {
    if (others == 0) first_other = found.first_other;
    others += found.others;
    for (const auto& image : found.images) {
      const auto [at, inserted] =
          numbers.emplace(image.group, static_cast<uint32_t>(numbers.size()));
      if (inserted) append_text_to(groups, image.group);
      names += image.name;
      append_number<uint64_t>(records, image.begin);
      append_number<uint64_t>(records, image.size);
      append_number<uint64_t>(records, names.size());
      append_number<uint32_t>(records, at->second);
      append_number<uint32_t>(records, 0);
      ++samples;
    }
  }
  std::string body;
  append_number<uint32_t>(body, labeled);
  append_number(body, stamp.size);
  append_number(body, stamp.modified);
  append_number(body, others);
  append_number(body, all.skipped);
  append_text_to(body, first_other);
  append_text_to(body, all.first_skipped);
  append_number<uint64_t>(body, numbers.size());
  body += groups;
  append_number(body, samples);
  body += records;
  body += names;
  std::string out(kTarIndexMagic);
  append_number(out, checksum(body));
  return out + body;
}

TarIndex::TarIndex(std::string_view bytes, std::shared_ptr<const void> owner, const TarStamp& stamp)
    : owner_(std::move(owner)) {
  WF_CHECK(bytes.size() > kTarIndexHead && starts_with(bytes, kTarIndexMagic),
           "no index of this version");
  const auto body = bytes.substr(kTarIndexHead);
  WF_CHECK(load_number<uint32_t>(bytes, kTarIndexMagic.size()) == checksum(body),
           "the checksum does not match");
  IndexParser in(body);
  labeled_ = in.number<uint32_t>() != 0;
  const auto size = in.number<uint64_t>();
  const auto modified = in.number<int64_t>();
  WF_CHECK(size == stamp.size && modified == stamp.modified, "of another state of the file");
  others = in.number<uint64_t>();
  skipped = in.number<uint64_t>();
  first_other = in.text();
  first_skipped = in.text();
  groups_.resize(in.count(sizeof(uint64_t)));
  for (auto& group : groups_) group = in.text();
  size_ = static_cast<int64_t>(in.count(kTarRecord));
  records_ = in.take(static_cast<uint64_t>(size_) * kTarRecord);
  names_ = in.rest();
  uint64_t name_end = 0;
  for (int64_t i = 0; i < size_; ++i) {
    const auto record = records_.substr(static_cast<size_t>(i) * kTarRecord, kTarRecord);
    const auto begin = load_number<uint64_t>(record, 0), length = load_number<uint64_t>(record, 8);
    const auto end = load_number<uint64_t>(record, 16);
    WF_CHECK(begin <= stamp.size && length <= stamp.size - begin && end >= name_end &&
                 end <= names_.size() && load_number<uint32_t>(record, 24) < groups_.size(),
             "sample ", i, " is not inside the file");
    name_end = end;
  }
}

TarSample TarIndex::sample(int64_t i) const {
  const auto at = static_cast<size_t>(i) * kTarRecord;
  const auto name_begin = i == 0 ? 0 : load_number<uint64_t>(records_, at - kTarRecord + 16);
  const auto name_end = load_number<uint64_t>(records_, at + 16);
  return {load_number<uint64_t>(records_, at), load_number<uint64_t>(records_, at + 8),
          names_.substr(name_begin, name_end - name_begin),
          load_number<uint32_t>(records_, at + 24)};
}

}  // namespace wf
