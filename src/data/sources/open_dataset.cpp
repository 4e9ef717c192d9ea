#include "data/sources/open_dataset.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "data/sources/cifar.h"
#include "data/sources/image_folder.h"
#include "data/sources/listing.h"
#include "data/sources/packed_file.h"
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
  const auto found = directories_in(path);
  throw Error(str(path, ": holds no ", split, "/", found.empty() ? "" : ", only " + found,
                  "; expected train/CLASS/*.jpg and val/CLASS/*.jpg (DATA.DATA_PATH)",
                  split == "val" ? "; DATA.VAL_SPLIT 0.1 holds out a tenth of train/" : ""));
}

std::shared_ptr<Dataset> open(const DataSourceOptions& options, const std::string& split,
                              std::vector<std::string> classes) {
  const std::string place = options.path + "/" + split;
  if (options.dataset == DatasetKind::cifar100) {
    const std::string file = split == "train" ? "train.bin" : "test.bin";
    return std::make_shared<Cifar100>(options.path, file, std::move(classes));
  }
  const std::string zip = place + ".zip", map = place + "_map.txt", packed = place + ".wfpack";
  if (options.zip) {
    ZipFolderOptions zip_options{std::move(classes), options.cache};
    return std::make_shared<ZipFolder>(zip, map, std::move(zip_options));
  }
  if (there(packed)) {
    if (there(place)) log::info("{}: used instead of the directory with the same name", packed);
    PackedFileOptions packed_options{std::move(classes), options.cache};
    return std::make_shared<PackedFile>(packed, std::move(packed_options));
  }
  WF_CHECK(there(place) || !there(zip), place, ": no such directory, but there is ", zip,
           ": --zip reads it");
  if (!there(place)) no_such_split(options.path, split);
  ImageFolderOptions folder{std::move(classes), {}};
  if (options.cache_listing) folder.listing_cache = listing_cache_folder();
  return std::make_shared<ImageFolder>(place, std::move(folder));
}

void say_what_is_odd(const Dataset& pictures, const std::string& split, const std::string& path) {
  constexpr size_t kNamed = 10;
  auto empty = empty_classes(pictures);
  if (!empty.empty()) {
    const auto count = empty.size();
    if (count > kNamed) empty.resize(kNamed);
    log::warning("{}: the {} set has no image of {} of its {} classes: {}{}", path, split, count,
                 pictures.classes().size(), join(empty, ", "), count > kNamed ? ", ..." : "");
  }
  if (split == "train" && pictures.classes().size() == 1) {
    log::warning("{}: a single class, {}: there is nothing to distinguish", path,
                 pictures.classes().front());
  }
}

}  // namespace

std::shared_ptr<Dataset> open_dataset(const DataSourceOptions& options, const std::string& split,
                                      std::vector<std::string> classes) {
  auto pictures = open(options, split, std::move(classes));
  say_what_is_odd(*pictures, split, options.path);
  return pictures;
}

bool has_split(const DataSourceOptions& options, const std::string& split) {
  if (options.dataset == DatasetKind::cifar100) return true;
  const std::string place = options.path + "/" + split;
  return options.zip ? there(place + ".zip") : there(place + ".wfpack") || there(place);
}

std::vector<std::string> empty_classes(const Dataset& pictures) {
  std::vector<bool> used(pictures.classes().size());
  for (int64_t i = 0; i < pictures.size(); ++i) used[pictures.label(i)] = true;
  std::vector<std::string> empty;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) empty.push_back(pictures.classes()[i]);
  }
  return empty;
}

}  // namespace wf
