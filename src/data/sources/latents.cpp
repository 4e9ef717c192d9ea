#include "data/sources/latents.h"

#include "weightformer/core/check.h"

#include "core/mapped_file.h"
#include "core/npy.h"
#include "core/text.h"
#include "data/sources/packed_latents.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPacked = ".wflat";
constexpr float kScale = 0.18215f;  // of Stable Diffusion's VAE

// float32 numbers of an array file, row-major.
const float* floats(const MappedFile& file, const NpyHeader& header) {
  WF_CHECK(header.type == at::kFloat, file.path(), ": latents of type ", header.type,
           ", expected float32");
  WF_CHECK(header.data % sizeof(float) == 0, file.path(),
           ": its header is not padded to a multiple of 4 bytes; save it with numpy.save");
  return reinterpret_cast<const float*>(file.bytes().data() + header.data);
}

// The shape [C, S, S] at the end of `header`, which may begin with a 1.
std::vector<int64_t> latent_shape(const NpyHeader& header, const std::string& path) {
  auto shape = header.shape;
  if (shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin());
  WF_CHECK(shape.size() == 3 && shape[0] > 0 && shape[1] > 0 && shape[1] == shape[2], path,
           ": an array ", at::IntArrayRef(header.shape),
           ", expected one latent [channels, side, side]");
  return shape;
}

std::vector<int64_t> latent_shape(const std::string& path) {
  const MappedFile file(path);
  return latent_shape(parse_npy(file.bytes(), path), path);
}

void require_finite(const float* values, int64_t count, const std::string& path) {
  const bool finite = std::all_of(values, values + count, [](float v) { return std::isfinite(v); });
  WF_CHECK(finite, path, ": holds numbers that are not finite; encode this image again");
}

int64_t checked_label(int64_t label, const std::string& path) {
  WF_CHECK(label >= 0, path, ": the label ", label, " is below 0");
  return label;
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

// The numbers of a latent in a file of its own, [channels, side, side].
const float* latent_in(const MappedFile& file, int64_t channels, int64_t side) {
  const auto header = parse_npy(file.bytes(), file.path());
  const auto shape = latent_shape(header, file.path());
  WF_CHECK(shape[0] == channels && shape[1] == side, file.path(), ": a latent ",
           at::IntArrayRef(shape), " among those of [", channels, ", ", side, ", ", side, "]");
  const float* values = floats(file, header);
  require_finite(values, channels * side * side, file.path());
  return values;
}

class FastDitLatents : public Latents {
 public:
  FastDitLatents(std::string features, std::string labels)
      : features_(std::move(features)), labels_(std::move(labels)) {
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
    const auto shape = latent_shape(name(0));
    channels_ = shape[0];
    side_ = shape[1];
  }

  int64_t size() const override { return static_cast<int64_t>(names_.size()); }
  std::string name(int64_t i) const override { return features_ + "/" + names_[i]; }

  int64_t read(int64_t i, CounterRng*, float* out) const override {
    const MappedFile file(name(i));
    const float* values = latent_in(file, channels_, side_);
    std::copy(values, values + channels_ * side_ * side_, out);
    const auto path = labels_ + "/" + names_[i];
    const auto label = read_npy(path);
    WF_CHECK(label.numel() == 1 && label.scalar_type() == at::kLong, path, ": an array ",
             label.sizes(), " of ", label.scalar_type(), ", expected one label, int64");
    return checked_label(label.item<int64_t>(), path);
  }

 private:
  std::string features_, labels_;
  std::vector<std::string> names_;  // of latents and labels alike
};

class MeanAndStd : public Latents {
 public:
  explicit MeanAndStd(std::string directory) : directory_(std::move(directory)) {
    const auto path = directory_ + "/dataset.json";
    std::ifstream in(path);
    const auto json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
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
    const auto shape = latent_shape(name(0));
    WF_CHECK(shape[0] % 2 == 0, name(0), ": ", shape[0],
             " channels, expected a mean and a standard deviation for each");
    channels_ = shape[0] / 2;
    side_ = shape[1];
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  std::string name(int64_t i) const override { return directory_ + "/" + samples_[i].first; }

  int64_t read(int64_t i, CounterRng* rng, float* out) const override {
    const MappedFile file(name(i));
    const float* mean = latent_in(file, 2 * channels_, side_);
    const int64_t count = channels_ * side_ * side_;
    for (int64_t k = 0; k < count; ++k) {
      const float noise = rng ? static_cast<float>(rng->normal()) : 0;
      out[k] = kScale * (mean[k] + mean[count + k] * noise);
    }
    return samples_[i].second;
  }

 private:
  std::string directory_;
  std::vector<std::pair<std::string, int64_t>> samples_;
};

class OneArray : public Latents {
 public:
  explicit OneArray(const std::string& directory)
      : file_(directory + "/latents.npy"), header_(parse_npy(file_.bytes(), file_.path())) {
    const auto& shape = header_.shape;
    WF_CHECK(
        shape.size() == 4 && shape[0] > 0 && shape[1] > 0 && shape[2] > 0 && shape[2] == shape[3],
        file_.path(), ": an array ", at::IntArrayRef(shape),
        ", expected [samples, channels, side, side]");
    channels_ = shape[1];
    side_ = shape[2];
    values_ = floats(file_, header_);
    const auto path = directory + "/labels.npy";
    const auto labels = read_npy(path);
    WF_CHECK(labels.dim() == 1 && labels.scalar_type() == at::kLong && labels.size(0) == shape[0],
             path, ": an array ", labels.sizes(), " of ", labels.scalar_type(), ", expected [",
             shape[0], "], int64: a label for each latent");
    const auto* first = labels.data_ptr<int64_t>();
    labels_.assign(first, first + labels.size(0));
    for (const auto label : labels_) checked_label(label, path);
  }

  int64_t size() const override { return header_.shape[0]; }
  std::string name(int64_t i) const override { return str(file_.path(), " [", i, "]"); }

  int64_t read(int64_t i, CounterRng*, float* out) const override {
    const int64_t count = channels_ * side_ * side_;
    const float* values = values_ + i * count;
    require_finite(values, count, name(i));
    std::copy(values, values + count, out);
    return labels_[i];
  }

 private:
  MappedFile file_;
  NpyHeader header_;
  const float* values_;
  std::vector<int64_t> labels_;
};

// The directory whose name is `ending` or ends in "_" and it.
std::optional<std::string> directory_named(const std::string& directory,
                                           const std::string& ending) {
  std::vector<std::string> found;
  std::error_code problem;
  for (fs::directory_iterator it(directory, problem), end; !problem && it != end;
       it.increment(problem)) {
    const auto name = it->path().filename().string();
    if (it->is_directory() && (name == ending || ends_with(name, "_" + ending))) {
      found.push_back(it->path().string());
    }
  }
  WF_CHECK(found.size() <= 1, directory, ": holds several directories of ", ending, ", such as ",
           found.empty() ? "" : found.back(), ": keep one");
  if (found.empty()) return std::nullopt;
  return found.front();
}

}  // namespace

std::string latents_of(const std::string& directory, const std::string& split) {
  const auto place = directory + "/" + split;
  for (const auto& path : {place + kPacked, place}) {
    if (fs::exists(path)) return path;
  }
  return "";
}

std::shared_ptr<const Latents> open_latents(const std::string& directory, double hflip) {
  if (ends_with(directory, kPacked)) return std::make_shared<PackedLatents>(directory, hflip);
  WF_CHECK(fs::is_directory(directory), directory, ": no such directory (DATA.DATA_PATH)");
  if (fs::exists(directory + "/latents.npy")) return std::make_shared<OneArray>(directory);
  if (fs::exists(directory + "/dataset.json")) return std::make_shared<MeanAndStd>(directory);
  const auto features = directory_named(directory, "features");
  const auto labels = directory_named(directory, "labels");
  WF_CHECK(features, directory,
           ": holds no latents: expected train.wflat (wf_encode), NAME_features/ and NAME_labels/ "
           "(fast-DiT), dataset.json (EDM2, REPA), or latents.npy and labels.npy");
  WF_CHECK(labels, directory, ": ", *features, " has no directory of labels beside it");
  return std::make_shared<FastDitLatents>(*features, *labels);
}

}  // namespace wf
