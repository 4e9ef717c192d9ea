#include "data/sources/tar_samples.h"

#include "weightformer/core/check.h"

#include "core/text.h"
#include "data/sources/image_name.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

namespace wf {
namespace {

constexpr size_t kLongestLabel = 200, kLargestJson = size_t{1} << 20;         // bytes
constexpr std::array<std::string_view, 3> kLabelFiles{"cls", "json", "txt"};  // the first counts

// The parts of "a/b/1.seg.png": directory "a/b", key "a/b/1", extension "seg.png".
struct Name {
  explicit Name(std::string_view name) {
    const auto slash = name.rfind('/');
    const auto begin = slash == std::string_view::npos ? 0 : slash + 1;
    directory = name.substr(0, begin == 0 ? 0 : slash);
    file = name.substr(begin);
    const auto dot = file.find('.');
    key = name.substr(0, begin + std::min(dot, file.size()));
    if (dot != std::string_view::npos) extension = file.substr(dot + 1);
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  bool hidden() const { return file.empty() || file.front() == '.'; }
  bool plain_image() const {
    return extension.find('.') == std::string::npos && is_picture("x." + extension);
  }
  size_t label_kind() const {
    const auto at = std::find(kLabelFiles.begin(), kLabelFiles.end(), extension);
    return static_cast<size_t>(at - kLabelFiles.begin());
  }
  std::string_view directory, file, key;
  std::string extension;
};

// The files of one key.
struct Sample {
  const TarEntry* image = nullptr;
  std::array<const TarEntry*, kLabelFiles.size()> labels{};
  const TarEntry *first = nullptr, *twice = nullptr;  // two files in one place

  void set(const TarEntry*& place, const TarEntry& entry) {
    if (place && !twice) first = place, twice = &entry;
    place = &entry;
  }
  bool labeled() const {
    return std::any_of(labels.begin(), labels.end(), [](const auto* file) { return file; });
  }
};

using Samples = std::unordered_map<std::string_view, Sample>;

Samples samples_of(const TarContents& contents) {
  Samples samples;
  for (const auto& entry : contents.files) {
    const Name name(entry.name);
    if (name.hidden()) continue;
    if (const auto kind = name.label_kind(); kind < kLabelFiles.size()) {
      auto& sample = samples[name.key];
      sample.set(sample.labels[kind], entry);
    } else if (name.plain_image()) {
      auto& sample = samples[name.key];
      sample.set(sample.image, entry);
    }
  }
  return samples;
}

[[noreturn]] void refuse_twice(const std::string& path, std::string_view what, std::string_view key,
                               const TarEntry& a, const TarEntry& b) {
  throw Error(str(path, ": the ", what, " ", key, " is there twice: ", a.name, " at byte ", a.begin,
                  " and ", b.name, " at byte ", b.begin, "; write the file again without one"));
}

std::string label_of(const Sample& sample, const TarPlace& place) {
  for (size_t kind = 0; kind < kLabelFiles.size(); ++kind) {
    const auto* file = sample.labels[kind];
    if (!file) continue;
    auto label = label_in(place.bytes.substr(file->begin, file->size), kLabelFiles[kind]);
    if (!label.empty()) return label;
  }
  throw Error(str(place.path, ": ", sample.image->name,
                  sample.labeled() ? " has no class in its" : " is an image without a",
                  " .cls, .json or .txt file: expected a number or a name of one line, in .json as "
                  "cls, label or class"));
}

void count_other(FoundImages& found, const TarPlace& place, const TarEntry& entry) {
  if (found.others++ == 0) found.first_other = place.name_prefix + entry.name;
}

void find_labeled(const TarContents& contents, const TarPlace& place, const Samples& samples,
                  FoundImages& found) {
  for (const auto& entry : contents.files) {
    const Name name(entry.name);
    if (name.hidden()) continue;
    const auto at = samples.find(name.key);
    const Sample* sample = at == samples.end() ? nullptr : &at->second;
    if (sample && sample->twice) {
      refuse_twice(place.path, "key", name.key, *sample->first, *sample->twice);
    }
    if (sample && sample->image == &entry) {
      found.images.push_back({place.name_prefix + entry.name, label_of(*sample, place),
                              place.begin + entry.begin, entry.size});
    } else if (!sample || !sample->image || name.label_kind() == kLabelFiles.size()) {
      count_other(found, place, entry);
    }
  }
}

void find_in_directories(const TarContents& contents, const TarPlace& place, FoundImages& found) {
  std::unordered_map<std::string_view, const TarEntry*> seen;
  for (const auto& entry : contents.files) {
    const Name name(entry.name);
    if (name.hidden()) continue;
    if (!is_picture(name.file)) {
      count_other(found, place, entry);
      continue;
    }
    const auto [at, inserted] = seen.emplace(entry.name, &entry);
    if (!inserted) refuse_twice(place.path, "image", entry.name, *at->second, entry);
    std::string directory = place.directory;
    if (!name.directory.empty()) directory += (directory.empty() ? "" : "/");
    directory += name.directory;
    found.images.push_back({place.name_prefix + entry.name, std::move(directory),
                            place.begin + entry.begin, entry.size});
  }
  std::sort(found.images.begin(), found.images.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

}  // namespace

std::string label_in(std::string_view text, std::string_view extension) {
  std::string label;
  if (extension == "json") {
    if (text.size() > kLargestJson) return "";
    const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return "";
    for (const char* key : {"cls", "label", "class"}) {
      const auto at = json.find(key);
      if (at == json.end()) continue;
      if (at->is_string()) return label_in(at->get<std::string>(), "txt");
      if (at->is_number_unsigned()) return std::to_string(at->get<uint64_t>());
    }
    return "";
  }
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return "";
  text = text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
  const bool one_line =
      std::none_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < ' '; });
  if (!one_line || text.size() > kLongestLabel) return "";
  uint64_t number = 0;  // written as 007 or as 7
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool numeric = problem == std::errc() && stop == text.data() + text.size();
  return numeric ? std::to_string(number) : std::string(text);
}

FoundImages find_images(const TarContents& contents, const TarPlace& place) {
  FoundImages found;
  const auto samples = samples_of(contents);
  found.labeled = std::any_of(samples.begin(), samples.end(), [](const auto& sample) {
    return sample.second.image && sample.second.labeled();
  });
  found.labeled ? find_labeled(contents, place, samples, found)
                : find_in_directories(contents, place, found);
  return found;
}

}  // namespace wf
