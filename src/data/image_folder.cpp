#include "weightformer/data/image_folder.h"

#include "weightformer/core/check.h"
#include "weightformer/core/registry.h"
#include "weightformer/data/decode.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace wf {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  static const std::vector<std::string> known = {".jpg", ".jpeg", ".png", ".bmp", ".webp",
                                                 ".ppm", ".pgm",  ".tif", ".tiff"};
  if (path.filename().string().front() == '.') return false;
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(known.begin(), known.end(), extension) != known.end();
}

// Checkpoints and metrics are JSON, which holds nothing else.
bool is_utf8(const std::string& text) {
  using nlohmann::json;
  const auto valid = json(text).dump(-1, ' ', false, json::error_handler_t::ignore);
  return json::parse(valid).get<std::string>() == text;
}

std::vector<std::string> folders_in(const std::string& root) {
  std::error_code problem;
  std::vector<std::string> names;
  for (fs::directory_iterator it(root, problem), end; !problem && it != end;
       it.increment(problem)) {
    const std::string name = it->path().filename().string();
    if (name.front() == '.' || !it->is_directory(problem)) continue;
    WF_CHECK(is_utf8(name), it->path().string(),
             ": the name of a class must be UTF-8; rename the folder");
    names.push_back(name);
  }
  WF_CHECK(!problem, root, ": cannot list the folder: ", problem.message(),
           "; expected class folders with pictures in it");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

ImageFolder::ImageFolder(const std::string& root, std::vector<std::string> classes) : root_(root) {
  const auto found = folders_in(root);
  WF_CHECK(!found.empty(), root, ": no class folders in it; expected ", root, "/CLASS/*.jpg");
  classes_ = classes.empty() ? found : std::move(classes);
  for (const auto& name : found) {
    const auto at = std::find(classes_.begin(), classes_.end(), name);
    WF_CHECK(at != classes_.end(), root, "/", name,
             ": a class that the training folder does not have");
    list_class(name, static_cast<int32_t>(at - classes_.begin()));
  }
  WF_CHECK(!entries_.empty(), root, ": no pictures in its ", found.size(),
           " class folders (jpg, jpeg, png, bmp, webp, ppm, pgm, tif, tiff)");
}

void ImageFolder::list_class(const std::string& name, int32_t label) {
  std::error_code problem;
  const fs::path folder = fs::path(root_) / name;
  std::vector<std::string> files;
  // Links are followed, as people keep parts of large sets elsewhere.
  const auto options = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator it(folder, options, problem), end; !problem && it != end;
       it.increment(problem)) {
    if (is_picture(it->path()) && !it->is_directory(problem)) {
      files.push_back(name + "/" + it->path().lexically_relative(folder).string());
    }
  }
  WF_CHECK(!problem, folder.string(), ": cannot list the folder: ", problem.message());
  std::sort(files.begin(), files.end());
  for (auto& file : files) entries_.push_back({std::move(file), label});
}

std::string ImageFolder::name(int64_t i) const { return root_ + "/" + entries_[i].file; }

Encoded ImageFolder::read(int64_t i) const { return read_file(name(i)); }

std::vector<std::string> ImageFolder::empty_classes() const {
  std::vector<bool> used(classes_.size());
  for (const auto& entry : entries_) used[entry.label] = true;
  std::vector<std::string> empty;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) empty.push_back(classes_[i]);
  }
  return empty;
}

}  // namespace wf
