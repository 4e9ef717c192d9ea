#include "data/sources/image_files.h"

#include "weightformer/core/check.h"

#include "core/text.h"
#include "data/image/decode.h"
#include "data/sources/listing.h"
#include "data/sources/packed_file.h"
#include "data/sources/tar_files.h"
#include "data/sources/tar_images.h"
#include "data/sources/zip_folder.h"
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

// nullptr: `path` is no archive.
std::shared_ptr<const Dataset> open_archive(const std::string& path) {
  if (ends_with(path, ".zip")) return std::make_shared<ZipFolder>(path, "");
  if (ends_with(path, ".wfpack")) return std::make_shared<PackedFile>(path);
  // A name with braces is a pattern of tar files only where it ends like one.
  const bool other = path.find('{') != std::string::npos && !ends_with(path, ".tar");
  const auto tars = other ? std::vector<std::string>{} : tar_files(path);
  if (tars.empty()) return nullptr;
  TarImagesOptions options;
  options.index_cache = listing_cache_folder();
  options.need_classes = false;
  return std::make_shared<TarImages>(tars, std::move(options));
}

// The label that the archive has for the image, a name or a number in `numbering`.
std::optional<std::string> own_label(const ImageFile& file, const std::set<std::string>& classes,
                                     const std::vector<std::string>& numbering) {
  if (!file.archive || file.archive->classes().empty()) return std::nullopt;
  const auto number = file.archive->label(file.index);
  const auto& name = file.archive->classes()[number];
  if (classes.count(name)) return name;
  const bool numbered = name == std::to_string(number);
  if (!numbered || number >= static_cast<int64_t>(numbering.size())) return std::nullopt;
  return numbering[number];
}

}  // namespace

Image ImageFile::load() const { return archive ? archive->load(index) : read_image(path); }

std::vector<ImageFile> images_and_archives(const std::vector<std::string>& paths) {
  std::vector<ImageFile> files;
  for (const auto& path : paths) {
    const auto archive = open_archive(path);
    if (!archive) {
      for (auto& file : image_files({path})) files.push_back(std::move(file));
      continue;
    }
    for (int64_t i = 0; i < archive->size(); ++i) {
      files.push_back({archive->name(i), path, archive, i});
    }
  }
  return files;
}

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

std::optional<std::string> label_of(const ImageFile& file, const std::set<std::string>& classes,
                                    const std::vector<std::string>& numbering) {
  if (auto own = own_label(file, classes, numbering)) return own;
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
