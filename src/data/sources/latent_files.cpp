// Latents in one file for each image.

#include "weightformer/core/check.h"

#include "core/mapped_file.h"
#include "core/npy.h"
#include "core/text.h"
#include "core/unpack_entry.h"
#include "data/sources/latent_layouts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

namespace wf {
namespace {

namespace fs = std::filesystem;

// The shape [C, S, S] at the end of `header`, which may begin with a 1.
std::vector<int64_t> latent_shape(const NpyHeader& header, const std::string& name) {
  auto shape = header.shape;
  if (shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin());
  WF_CHECK(shape.size() == 3 && shape[0] > 0 && shape[1] > 0 && shape[1] == shape[2], name,
           ": an array ", at::IntArrayRef(header.shape),
           ", expected one latent [channels, side, side]");
  return shape;
}

// The numbers of a file, which must have `expected` as its shape.
void read_latent(std::string_view file, const std::string& name,
                 const std::vector<int64_t>& expected, float* out) {
  const auto header = parse_npy(file, name);
  const auto shape = latent_shape(header, name);
  WF_CHECK(shape == expected, name, ": a latent ", at::IntArrayRef(shape), " among those of ",
           at::IntArrayRef(expected));
  read_numbers(file.data() + header.data, header.type, shape[0] * shape[1] * shape[2], name, out);
}

std::vector<std::string> sorted_names(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    auto name = entry.path().filename().string();
    if (ends_with(name, ".npy") && name.front() != '.') names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

class FastDitLatents : public Latents {
 public:
  FastDitLatents(std::string features, std::string labels, float scale)
      : features_(std::move(features)), labels_(std::move(labels)), scale_(scale) {
    names_ = sorted_names(features_);
    const auto label_names = sorted_names(labels_);
    WF_CHECK(!names_.empty(), features_, ": holds no .npy file");
    WF_CHECK(names_.size() == label_names.size(), features_, " has ", names_.size(), " files and ",
             labels_, " has ", label_names.size(),
             ": every latent needs its label; extract them again");
    for (size_t i = 0; i < names_.size(); ++i) {
      WF_CHECK(names_[i] == label_names[i], features_, "/", names_[i], " would get the label of ",
               label_names[i], ": every latent needs its label; extract them again");
    }
    const MappedFile first(name(0));
    shape_ = latent_shape(parse_npy(first.bytes(), first.path()), first.path());
    channels_ = shape_[0];
    side_ = shape_[1];
  }

  int64_t size() const override { return static_cast<int64_t>(names_.size()); }
  std::string name(int64_t i) const override { return features_ + "/" + names_[i]; }

  int64_t read(int64_t i, CounterRng*, float* out) const override {
    const MappedFile file(name(i));
    read_latent(file.bytes(), file.path(), shape_, out);
    if (scale_ != 1)
      std::for_each_n(out, channels_ * side_ * side_, [&](float& v) { v *= scale_; });
    const auto path = labels_ + "/" + names_[i];
    const auto label = read_npy(path);
    WF_CHECK(label.numel() == 1 && label.scalar_type() == at::kLong, path, ": an array ",
             label.sizes(), " of ", label.scalar_type(), ", expected one label, int64");
    return checked_label(label.item<int64_t>(), path);
  }

 private:
  std::string features_, labels_;
  float scale_;
  std::vector<int64_t> shape_;
  std::vector<std::string> names_;  // of latents and labels alike
};

// The files of a data set by name, in a directory or an archive.
class FileTree {
 public:
  explicit FileTree(std::string path) : path_(std::move(path)) {
    if (fs::is_directory(path_)) return;
    archive_ = std::make_shared<const MappedFile>(path_);
    for (const auto& entry : zip_entries(archive_->bytes(), path_)) entries_[entry.name] = entry;
  }

  std::string path(const std::string& name) const { return path_ + "/" + name; }

  UnpackedEntry open(const std::string& name) const {
    if (!archive_) {
      const auto file = std::make_shared<const MappedFile>(path(name));
      return {file->bytes(), file, ""};
    }
    const auto found = entries_.find(name);
    WF_CHECK(found != entries_.end(), path_, ": has no ", name);
    auto bytes = unpack_entry(archive_, found->second);
    WF_CHECK(bytes.problem.empty(), path(name), ": ", bytes.problem);
    return bytes;
  }

  // Arrays in an archive; 0 in a directory, which is not searched.
  size_t arrays() const {
    return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [](const auto& e) {
      return ends_with(e.first, ".npy");
    }));
  }

 private:
  std::string path_;
  std::shared_ptr<const MappedFile> archive_;  // null: a directory
  std::unordered_map<std::string_view, ZipEntry> entries_;
};

class MeanAndStd : public Latents {
 public:
  MeanAndStd(const std::string& path, float scale) : files_(path), scale_(scale) {
    read_labels();
    const auto first = files_.open(samples_.front().first);
    shape_ = latent_shape(parse_npy(first.data, name(0)), name(0));
    WF_CHECK(shape_[0] % 2 == 0, name(0), ": ", shape_[0],
             " channels, expected a mean and a standard deviation for each");
    channels_ = shape_[0] / 2;
    side_ = shape_[1];
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  std::string name(int64_t i) const override { return files_.path(samples_[i].first); }

  int64_t read(int64_t i, CounterRng* rng, float* out) const override {
    const int64_t count = channels_ * side_ * side_;
    std::vector<float> both(2 * count);
    read_latent(files_.open(samples_[i].first).data, name(i), shape_, both.data());
    for (int64_t k = 0; k < count; ++k) {
      const float noise = rng ? static_cast<float>(rng->normal()) : 0;
      out[k] = scale_ * (both[k] + both[count + k] * noise);
    }
    return samples_[i].second;
  }

 private:
  void read_labels() {
    const std::string list = "dataset.json";
    const auto path = files_.path(list);
    const auto text = files_.open(list);
    const auto json = nlohmann::json::parse(text.data, nullptr, /*allow_exceptions=*/false);
    const auto labels = json.is_object() ? json.find("labels") : json.end();
    WF_CHECK(json.is_object() && labels != json.end() && labels->is_array() && !labels->empty(),
             path, ": expected {\"labels\": [[FILE, CLASS], …]}");
    for (const auto& entry : *labels) {
      WF_CHECK(entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
                   entry[1].is_number_integer(),
               path, ": entry ", samples_.size(), " is not [FILE, CLASS]");
      samples_.emplace_back(entry[0].get<std::string>(),
                            checked_label(entry[1].get<int64_t>(), path));
    }
    WF_CHECK(files_.arrays() <= samples_.size(), path, ": has labels for ", samples_.size(), " of ",
             files_.arrays(), " arrays: every latent needs its label; encode them again");
  }

  FileTree files_;
  float scale_;
  std::vector<int64_t> shape_;
  std::vector<std::pair<std::string, int64_t>> samples_;
};

}  // namespace

std::shared_ptr<const Latents> open_fast_dit(const std::string& features, const std::string& labels,
                                             const LatentOptions& options) {
  return std::make_shared<FastDitLatents>(features, labels, scale_or(options, 1));
}

std::shared_ptr<const Latents> open_mean_and_std(const std::string& path,
                                                 const LatentOptions& options) {
  return std::make_shared<MeanAndStd>(path, scale_or(options, kVaeScale));
}

}  // namespace wf
