#include "data/sources/image_files.h"

#include "weightformer/core/check.h"

#include "data/sources/listing.h"
#include "runtime/log.h"

#include <filesystem>

namespace wf {
namespace {

namespace fs = std::filesystem;

std::vector<ImageFile> images_below(const std::string& root) {
  auto found = list_images(root);
  if (found.others > 0) {
    log::warning("{}: {} skipped (not images): {}{}", root,
                 found.others == 1 ? "1 file" : str(found.others, " files"), found.first_other,
                 found.others > 1 ? ", …" : "");
  }
  WF_CHECK(!found.files.empty(), root,
           ": no images in it (jpg, jpeg, png, bmp, webp, ppm, pgm, tif, tiff)");
  std::vector<ImageFile> files;
  for (const auto& name : found.files) files.push_back({(fs::path(root) / name).string(), root});
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
