#include "data/sources/tar_files.h"

#include "weightformer/core/check.h"

#include "core/text.h"
#include "data/sources/brace_pattern.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNumerals = "0123456789", kSeparators = "-_.";

// "imagenet1k-train" of "imagenet1k-train-0000"
std::string name_of_shards(const std::string& stem) {
  const auto last = stem.find_last_not_of(kNumerals);
  return last == std::string::npos ? "" : stem.substr(0, last);
}

bool ends_with_word(const std::string& text, const std::string& word) {
  return ends_with(text, word) &&
         (text.size() == word.size() ||
          kSeparators.find(text[text.size() - word.size() - 1]) != std::string_view::npos);
}

}  // namespace

bool called_like_a_shard(const std::string& stem) {
  const auto last = stem.find_last_not_of(kNumerals);
  if (last == stem.size() - 1) return false;
  return last == std::string::npos || kSeparators.find(stem[last]) != std::string_view::npos;
}

std::vector<std::string> tar_files(const std::string& path) {
  if (path.find('{') != std::string::npos) return expand_braces(path);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return ends_with(path, ".tar") ? std::vector{path} : std::vector<std::string>{};
  }
  std::vector<std::string> files;
  for (fs::directory_iterator it(path, ignored), end; it != end && !ignored;
       it.increment(ignored)) {
    const auto name = it->path().filename().string();
    std::error_code unknown;
    if (name.front() == '.') continue;
    if (it->is_directory(unknown)) return {};
    if (ends_with(name, ".tar")) files.push_back(it->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> tar_files_of_split(const std::string& directory,
                                            const std::string& split) {
  std::error_code ignored;
  for (const auto& name : {split + ".tar", "ILSVRC2012_img_" + split + ".tar"}) {
    if (fs::exists(directory + "/" + name, ignored)) return {directory + "/" + name};
  }
  std::map<std::string, std::vector<std::string>> shards;
  for (fs::directory_iterator it(directory, ignored), end; it != end && !ignored;
       it.increment(ignored)) {
    const auto file = it->path().filename();
    const auto stem = file.stem().string();
    if (file.extension() != ".tar" || stem.front() == '.' || !called_like_a_shard(stem)) continue;
    const auto name = name_of_shards(stem);
    if (ends_with_word(name, split) || (split == "val" && ends_with_word(name, "validation"))) {
      shards[name].push_back(it->path().string());
    }
  }
  if (shards.empty()) return {};
  WF_CHECK(shards.size() == 1, directory, ": has shards of ", shards.begin()->first, " and of ",
           shards.rbegin()->first, ": DATA.TRAIN and DATA.VAL name those that are meant");
  auto files = std::move(shards.begin()->second);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace wf
