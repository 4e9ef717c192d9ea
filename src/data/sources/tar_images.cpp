#include "data/sources/tar_images.h"

#include "weightformer/core/check.h"

#include "data/image/decode.h"
#include "data/sources/class_names.h"
#include "data/sources/tar_files.h"
#include "data/sources/tar_labels.h"
#include "runtime/log.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <limits>
#include <set>
#include <unordered_map>

namespace wf {
namespace {

constexpr uint64_t kLargestImage = uint64_t{1} << 30;  // bytes; no image has more
constexpr int32_t kMostNumbered = 1'000'000;           // classes

// Each file stays open. The soft limit is often 1024, and the hard one much higher.
void allow_open_files(size_t count) {
  constexpr rlim_t kOthers = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count + kOthers) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, count + kOthers);
  ::setrlimit(RLIMIT_NOFILE, &limit);  // when it fails, opening does, with its own message
}

int64_t nanoseconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

std::string stem_of(const std::string& path) { return std::filesystem::path(path).stem().string(); }

std::string_view first_part(std::string_view path) { return path.substr(0, path.find('/')); }

// Removes the directories that all share, but for one.
void leave_out_shared(std::vector<std::string>& directories) {
  while (!directories.empty()) {
    const std::string first(first_part(directories.front()));
    const bool shared =
        std::all_of(directories.begin(), directories.end(), [&](const auto& directory) {
          return directory.size() > first.size() + 1 && first_part(directory) == first;
        });
    if (!shared) return;
    for (auto& directory : directories) directory.erase(0, first.size() + 1);
  }
}

// Numbers from 0 and below kMostNumbered, all of them; nullopt when one is not.
std::optional<std::vector<int32_t>> as_numbers(const std::vector<std::string>& labels) {
  std::vector<int32_t> numbers;
  for (const auto& label : labels) {
    int32_t number = -1;
    const auto end = label.data() + label.size();
    const auto [stop, problem] = std::from_chars(label.data(), end, number);
    if (stop != end || problem != std::errc() || number < 0 || number >= kMostNumbered) {
      return std::nullopt;
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::string described(const std::vector<std::string>& paths) {
  return paths.size() == 1 ? paths[0] : str(paths.front(), " … ", paths.back());
}

void report_left_out(const std::string& path, const TarIndex& index) {
  if (index.others > 0) {
    log::info("{}: {} files that are no images, nor labels of them, are left out, such as {}", path,
              index.others, index.first_other);
  }
  if (index.skipped > 0) {
    log::warning("{}: {} files are skipped, such as {}: their bytes are not in the file", path,
                 index.skipped, index.first_skipped);
  }
}

}  // namespace

TarImages::TarImages(const std::vector<std::string>& paths, TarImagesOptions options) {
  open(paths, options.index_cache);
  classes_ = std::move(options.classes);
  if (!options.labels.empty()) {
    number_by_label(read_label_file(*this, options.labels), options.labels);
  } else if (files_.front().index.labeled()) {
    std::vector<std::string> labels;
    for (const auto& image : images_) {
      const auto& index = files_[image.file].index;
      labels.push_back(index.groups()[index.sample(image.sample).group]);
    }
    number_by_label(labels, described(paths));
  } else if (options.need_classes) {
    number_by_directory();
  }
  std::vector<std::shared_ptr<const MappedFile>> tars;
  for (const auto& file : files_) tars.push_back(file.tar);
  read_ahead_ = std::make_unique<ReadAhead>(std::move(tars), options.cache);
}

TarImages::~TarImages() = default;

void TarImages::open(const std::vector<std::string>& paths,
                     const std::optional<std::string>& cache) {
  WF_CHECK(!paths.empty() && paths.size() < std::numeric_limits<uint32_t>::max(),
           "TarImages: no files");
  allow_open_files(paths.size());
  const auto now = nanoseconds_since_1970();
  for (const auto& path : paths) {
    auto tar = std::make_shared<const MappedFile>(path);
    auto index = tar_index(path, tar->bytes(), cache, now);
    report_left_out(path, index);
    files_.push_back({std::move(tar), std::move(index)});
    const auto& added = files_.back().index;
    if (added.size() == 0) log::warning("{}: no images in it", path);
    for (int64_t i = 0; i < added.size(); ++i) {
      images_.push_back(
          {static_cast<uint32_t>(files_.size() - 1), static_cast<uint32_t>(i), /*label=*/0});
    }
  }
  WF_CHECK(!images_.empty(), described(paths),
           ": no images in it (jpg, jpeg, png, bmp, webp, ppm, pgm, tif, tiff)");
  const bool labeled = files_[images_.front().file].index.labeled();
  for (const auto& file : files_) {
    WF_CHECK(file.index.size() == 0 || file.index.labeled() == labeled, file.tar->path(),
             ": its images have ", labeled ? "no " : "", ".cls, .json or .txt files and those of ",
             files_[images_.front().file].tar->path(), labeled ? " have" : " have none",
             ": expected the same of all");
  }
}

void TarImages::number_by_label(const std::vector<std::string>& labels, const std::string& where) {
  if (const auto numbers = as_numbers(labels)) {
    const auto largest = *std::max_element(numbers->begin(), numbers->end());
    if (classes_.empty()) {
      for (int32_t i = 0; i <= largest; ++i) classes_.push_back(std::to_string(i));
    }
    WF_CHECK(largest < static_cast<int32_t>(classes_.size()), where, ": has the class number ",
             largest, ", and the training set has only the classes 0 to ", classes_.size() - 1);
    for (size_t i = 0; i < images_.size(); ++i) images_[i].label = (*numbers)[i];
    return;
  }
  const std::set<std::string> found(labels.begin(), labels.end());
  const std::vector<std::string> names(found.begin(), found.end());
  const auto numbers = number_classes(names, classes_, where);
  std::unordered_map<std::string_view, int32_t> number_of;
  for (size_t i = 0; i < names.size(); ++i) number_of[names[i]] = numbers[i];
  for (size_t i = 0; i < images_.size(); ++i) images_[i].label = number_of.at(labels[i]);
}

// The class of each group of each file.
std::vector<std::vector<std::string>> TarImages::class_of_groups() const {
  std::vector<std::string> directories;
  for (const auto& file : files_) {
    const auto stem = stem_of(file.tar->path());
    const auto& groups = file.index.groups();
    const bool flat = std::find(groups.begin(), groups.end(), "") != groups.end();
    WF_CHECK(!flat || (files_.size() > 1 && !called_like_a_shard(stem)), file.tar->path(),
             ": has images that are in no directory of a class and have no .cls, .json or .txt "
             "file: DATA.TRAIN_LABELS and DATA.VAL_LABELS name a file with their classes");
    for (const auto& group : groups) {
      directories.push_back(!flat ? group : group.empty() ? stem : stem + "/" + group);
    }
  }
  leave_out_shared(directories);
  std::vector<std::vector<std::string>> classes;
  auto next = directories.begin();
  for (const auto& file : files_) {
    auto& own = classes.emplace_back();
    for (size_t i = 0; i < file.index.groups().size(); ++i) own.emplace_back(first_part(*next++));
  }
  return classes;
}

void TarImages::number_by_directory() {
  const auto class_of = class_of_groups();
  std::set<std::string> different;
  for (const auto& classes : class_of) different.insert(classes.begin(), classes.end());
  const std::vector<std::string> found(different.begin(), different.end());
  const auto& path = files_.front().tar->path();
  const bool one_unknown = found.size() == 1 && !classes_.empty() &&
                           std::find(classes_.begin(), classes_.end(), found[0]) == classes_.end();
  WF_CHECK(!one_unknown, path, ": all images are in the directory ", found.front(),
           ", which is no class of the model: DATA.VAL_LABELS names a file with their classes");
  const auto numbers = number_classes(found, classes_, path);
  std::unordered_map<std::string_view, size_t> at;
  for (size_t i = 0; i < found.size(); ++i) at[found[i]] = i;
  std::vector<std::vector<TarImage>> by_class(found.size());
  for (auto image : images_) {
    const auto group = files_[image.file].index.sample(image.sample).group;
    const auto found_class = at.at(class_of[image.file][group]);
    image.label = numbers[found_class];
    by_class[found_class].push_back(image);
  }
  sort_as_a_folder(std::move(by_class));
}

void TarImages::sort_as_a_folder(std::vector<std::vector<TarImage>> by_class) {
  const auto name_of = [&](const TarImage& image) {
    return files_[image.file].index.sample(image.sample).name;
  };
  const auto before = [&](const auto& a, const auto& b) { return name_of(a) < name_of(b); };
  images_.clear();
  for (auto& images : by_class) {
    if (!std::is_sorted(images.begin(), images.end(), before)) {
      std::stable_sort(images.begin(), images.end(), before);
    }
    images_.insert(images_.end(), images.begin(), images.end());
  }
}

std::string TarImages::name(int64_t i) const {
  const auto& file = files_[images_[i].file];
  return str(file.tar->path(), "/", file.index.sample(images_[i].sample).name);
}

Encoded TarImages::read(int64_t i) const {
  const auto& [tar, index] = files_[images_[i].file];
  if (!tar->whole()) {
    throw UnreadableImage(tar->path() + ": has become shorter since it was opened");
  }
  const auto sample = index.sample(images_[i].sample);
  if (sample.size > kLargestImage) throw UnreadableImage(name(i) + ": larger than 1 GiB");
  tar->will_need(sample.begin, sample.size);
  return {tar->bytes().substr(sample.begin, sample.size), tar};
}

}  // namespace wf
