#include "image_files.h"

#include "weightformer/core/check.h"

#include "data/sources/listing.h"
#include "runtime/log.h"

#include <algorithm>
#include <filesystem>

namespace wf {
namespace {

namespace fs = std::filesystem;

std::vector<ImageFile> images_below(const std::string& root) {
  std::vector<ImageFile> files;
  int64_t others = 0;
  std::string example;
  std::error_code problem;
  for (fs::recursive_directory_iterator it(root, problem), end; !problem && it != end;
       it.increment(problem)) {
    const auto& path = it->path();
    std::error_code unknown;
    if (it->is_directory(unknown)) continue;
    if (is_picture(path.filename().string())) {
      files.push_back({path.string(), root});
    } else if (others++ == 0 || path.string() < example) {
      example = path.string();
    }
  }
  WF_CHECK(!problem, root, ": cannot list the directory: ", problem.message());
  if (others > 0) {
    log::warning("{}: {} skipped, hidden or not an image by its name: {}{}", root,
                 others == 1 ? "1 file" : str(others, " files"), example, others > 1 ? ", …" : "");
  }
  WF_CHECK(!files.empty(), root,
           ": no images in it (jpg, jpeg, png, bmp, webp, ppm, pgm, tif, tiff)");
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

}  // namespace

std::vector<ImageFile> image_files(const std::vector<std::string>& paths) {
  std::vector<ImageFile> files;
  for (const auto& path : paths) {
    std::error_code unknown;
    if (!fs::is_directory(path, unknown)) {
      files.push_back({path, ""});
      continue;
    }
    for (auto& file : images_below(path)) files.push_back(std::move(file));
  }
  return files;
}

std::optional<std::string> label_of(const ImageFile& file, const std::set<std::string>& classes) {
  const auto directory = fs::absolute(file.path).lexically_normal().parent_path();
  auto root = directory;
  if (!file.root.empty()) root = (fs::absolute(file.root) / "").lexically_normal().parent_path();
  std::optional<std::string> label;
  for (const auto& part : root) {
    if (classes.count(part.string())) label = part.string();
  }
  if (label == root.filename().string()) return label;
  for (const auto& part : directory.lexically_relative(root)) {
    if (classes.count(part.string())) return part.string();
  }
  return label;
}

}  // namespace wf
