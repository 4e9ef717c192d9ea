#include "data/sources/open_dataset.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"
#include "data/sources/cifar.h"
#include "data/sources/image_folder.h"
#include "data/sources/listing.h"
#include "data/sources/packed_file.h"
#include "data/sources/selection.h"
#include "data/sources/tar_files.h"
#include "data/sources/tar_images.h"
#include "data/sources/zip_folder.h"
#include "runtime/log.h"

#include <algorithm>
#include <filesystem>

namespace wf {
namespace {

bool there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// The directories in `path`, a few of them: "bag, coat, dress, …".
std::string directories_in(const std::string& path) {
  constexpr size_t kNamed = 3;
  std::vector<std::string> names;
  std::error_code problem;
  for (std::filesystem::directory_iterator it(path, problem), end; !problem && it != end;
       it.increment(problem)) {
    std::error_code ignored;
    const auto name = it->path().filename().string();
    if (it->is_directory(ignored) && name.front() != '.') names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  const bool more = names.size() > kNamed;
  if (more) names.resize(kNamed);
  return join(names, ", ") + (more ? ", …" : "");
}

[[noreturn]] void no_such_split(const std::string& path, const std::string& split) {
  WF_CHECK(there(path), path, ": no such directory (DATA.DATA_PATH)");
  WF_CHECK(std::filesystem::is_directory(path), path,
           ": a file; DATA.DATA_PATH names the directory of the data, and DATA.TRAIN and DATA.VAL "
           "the files in it");
  const auto found = directories_in(path);
  throw Error(str(path, ": holds no ", split, "/", found.empty() ? "" : ", only " + found,
                  "; expected train/CLASS/*.jpg and val/CLASS/*.jpg (DATA.DATA_PATH)",
                  split == "val" ? "; DATA.VAL_SPLIT 0.1 holds out a tenth of train/" : ""));
}

const ImageSetOptions& set_of(const DataSourceOptions& options, const std::string& split) {
  return split == "train" ? options.train : options.val;
}

// DATA.TRAIN or DATA.VAL, which is relative to DATA.DATA_PATH; "" when not set.
std::string named_path(const DataSourceOptions& options, const std::string& split) {
  const auto& path = set_of(options, split).path;
  if (path.empty() || options.path.empty()) return path;
  return (std::filesystem::path(options.path) / path).string();
}

std::shared_ptr<Dataset> open_tars(const std::vector<std::string>& files,
                                   const DataSourceOptions& options, const std::string& labels,
                                   std::vector<std::string> classes) {
  TarImagesOptions tar;
  tar.classes = std::move(classes);
  tar.labels = labels;
  tar.cache = options.cache;
  if (options.cache_listing) tar.index_cache = listing_cache_folder();
  return std::make_shared<TarImages>(files, std::move(tar));
}

// The tar files that hold the set; empty when something else does.
std::vector<std::string> tars_of(const DataSourceOptions& options, const std::string& split) {
  if (options.dataset == DatasetKind::cifar100) return {};
  const auto named = named_path(options, split);
  if (!named.empty()) return tar_files(named);
  const std::string place = options.path + "/" + split;
  if (options.path.empty() || options.zip || there(place + ".wfpack")) return {};
  return there(place) ? tar_files(place) : tar_files_of_split(options.path, split);
}

std::shared_ptr<Dataset> open(const DataSourceOptions& options, const std::string& split,
                              std::vector<std::string> classes) {
  const auto& labels = set_of(options, split).labels;
  const auto named = named_path(options, split);
  const std::string place = options.path + "/" + split;
  if (options.dataset == DatasetKind::cifar100) {
    const std::string file = split == "train" ? "train.bin" : "test.bin";
    return std::make_shared<Cifar100>(options.path, file, std::move(classes));
  }
  if (!named.empty()) return open_images(named, options, labels, std::move(classes));
  WF_CHECK(!options.path.empty(), "neither DATA.DATA_PATH nor DATA.",
           split == "val" ? "VAL" : "TRAIN", " is set");
  const std::string zip = place + ".zip", packed = place + ".wfpack";
  if (options.zip) return open_images(zip, options, labels, std::move(classes));
  if (there(packed)) {
    if (there(place)) log::info("{}: used instead of the directory with the same name", packed);
    return open_images(packed, options, labels, std::move(classes));
  }
  const auto tars = tars_of(options, split);
  if (!tars.empty()) return open_tars(tars, options, labels, std::move(classes));
  WF_CHECK(there(place) || !there(zip), place, ": no such directory, but there is ", zip,
           ": --zip reads it");
  if (!there(place)) no_such_split(options.path, split);
  return open_images(place, options, labels, std::move(classes));
}

void warn_about_classes(const Dataset& images, const std::string& split, const std::string& path) {
  constexpr size_t kNamed = 10;
  auto empty = empty_classes(images);
  if (!empty.empty()) {
    const auto count = empty.size();
    if (count > kNamed) empty.resize(kNamed);
    log::warning("{}: the {} set has no image of {} of its {} classes: {}{}", path, split, count,
                 images.classes().size(), join(empty, ", "), count > kNamed ? ", ..." : "");
  }
  if (split == "train" && images.classes().size() == 1) {
    log::warning("{}: a single class, {}: there is nothing to distinguish", path,
                 images.classes().front());
  }
}

}  // namespace

std::shared_ptr<Dataset> open_images(const std::string& path, const DataSourceOptions& options,
                                     const std::string& labels, std::vector<std::string> classes) {
  const auto tars = tar_files(path);
  if (!tars.empty()) return open_tars(tars, options, labels, std::move(classes));
  WF_CHECK(labels.empty(), labels,
           ": labels of images in tar files (DATA.TRAIN_LABELS, DATA.VAL_LABELS), and ", path,
           " is none");
  if (ends_with(path, ".wfpack")) {
    PackedFileOptions packed_options{std::move(classes), options.cache};
    return std::make_shared<PackedFile>(path, std::move(packed_options));
  }
  if (ends_with(path, ".zip")) {
    ZipFolderOptions zip_options{std::move(classes), options.cache};
    const auto map = path.substr(0, path.size() - 4) + "_map.txt";
    return std::make_shared<ZipFolder>(path, map, std::move(zip_options));
  }
  ImageFolderOptions folder{std::move(classes), {}};
  if (options.cache_listing) folder.listing_cache = listing_cache_folder();
  return std::make_shared<ImageFolder>(path, std::move(folder));
}

std::shared_ptr<Dataset> open_dataset(const DataSourceOptions& options, const std::string& split,
                                      std::vector<std::string> classes) {
  const auto& subset = set_of(options, split).subset;
  const bool mapped = !options.class_map.empty();
  auto images = open(options, split, mapped ? std::vector<std::string>{} : classes);
  if (mapped) images = with_class_map(images, options.class_map, std::move(classes));
  if (!subset.empty()) images = subset_of(images, subset);
  warn_about_classes(*images, split,
                     options.path.empty() ? set_of(options, split).path : options.path);
  return images;
}

bool is_in_tars(const DataSourceOptions& options, const std::string& split) {
  return !tars_of(options, split).empty();
}

bool has_split(const DataSourceOptions& options, const std::string& split) {
  if (options.dataset == DatasetKind::cifar100 || !named_path(options, split).empty()) return true;
  if (options.path.empty()) return false;
  const std::string place = options.path + "/" + split;
  if (options.zip) return there(place + ".zip");
  return there(place + ".wfpack") || there(place) ||
         !tar_files_of_split(options.path, split).empty();
}

std::vector<std::string> empty_classes(const Dataset& images) {
  std::vector<bool> used(images.classes().size());
  for (int64_t i = 0; i < images.size(); ++i) used[images.label(i)] = true;
  std::vector<std::string> empty;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) empty.push_back(images.classes()[i]);
  }
  return empty;
}

}  // namespace wf
