// Latents in arrays of many.

#include "weightformer/core/check.h"
#include "weightformer/serialization/safetensors.h"

#include "core/mapped_file.h"
#include "core/npz.h"
#include "core/registry.h"
#include "data/sources/latent_layouts.h"
#include "serialization/tensor_file.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

namespace wf {
namespace {

namespace fs = std::filesystem;

// One array with its labels.
struct Part {
  std::string path;
  at::Tensor latents;                 // [N, C, S, S], in a memory map
  at::Tensor flipped;                 // the same of the flipped images; undefined: none
  at::Tensor labels;                  // [N], any integers
  std::shared_ptr<const void> owner;  // keeps the numbers where they are
};

// (x - mean) factor of each channel.
struct Normalization {
  std::vector<float> mean, factor;
};

class ArrayLatents : public Latents {
 public:
  explicit ArrayLatents(float scale) : scale_(scale) {}

  void add(Part part) {
    const auto shape = part.latents.sizes();
    const auto& path = part.path;
    WF_CHECK(
        shape.size() == 4 && shape[0] > 0 && shape[1] > 0 && shape[2] > 0 && shape[2] == shape[3],
        path, ": latents ", shape, ", expected [samples, channels, side, side]");
    if (parts_.empty()) channels_ = shape[1], side_ = shape[2];
    WF_CHECK(shape[1] == channels_ && shape[2] == side_, path, ": latents ", shape,
             " among those of [N, ", channels_, ", ", side_, ", ", side_, "]");
    WF_CHECK(
        !part.flipped.defined() || (part.flipped.sizes() == shape && part.flipped.is_contiguous() &&
                                    part.flipped.scalar_type() == part.latents.scalar_type()),
        path, ": latents_flip differs from latents in its shape or type");
    const auto& labels = part.labels;
    WF_CHECK(at::isIntegralType(labels.scalar_type(), /*includeBool=*/false) &&
                 labels.numel() == shape[0],
             path, ": labels ", labels.sizes(), " of ", labels.scalar_type(), ", expected [",
             shape[0], "], int64: a label for each latent");
    const auto words = labels.to(at::kLong).contiguous();
    const auto* first = words.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < shape[0]; ++i) labels_.push_back(checked_label(first[i], path));
    ends_.push_back(static_cast<int64_t>(labels_.size()));
    part.labels.reset();
    parts_.push_back(std::move(part));
  }
  void normalize(Normalization normalization) { normalization_ = std::move(normalization); }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  std::string name(int64_t i) const override {
    const auto [part, row] = find(i);
    return str(part->path, " [", row, "]");
  }

  int64_t read(int64_t i, CounterRng* rng, float* out) const override {
    const auto [part, row] = find(i);
    const bool flip = part->flipped.defined() && rng && rng->uniform() < 0.5;
    const auto& from = flip ? part->flipped : part->latents;
    const int64_t plane = side_ * side_, count = channels_ * plane;
    const auto* bytes = static_cast<const char*>(from.const_data_ptr());
    read_numbers(bytes + row * count * from.itemsize(), from.scalar_type(), count, name(i), out);
    for (int64_t k = 0; k < count; ++k) {
      const auto c = static_cast<size_t>(k / plane);
      out[k] = normalization_.mean.empty()
                   ? out[k] * scale_
                   : (out[k] - normalization_.mean[c]) * normalization_.factor[c];
    }
    return labels_[i];
  }

 private:
  std::pair<const Part*, int64_t> find(int64_t i) const {
    const auto part =
        static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), i) - ends_.begin());
    return {&parts_[part], part == 0 ? i : i - ends_[part - 1]};
  }

  std::vector<Part> parts_;
  std::vector<int64_t> ends_;  // index after the last sample of each part
  std::vector<int64_t> labels_;
  Normalization normalization_;  // empty: `scale_` instead
  float scale_;
};

at::Tensor view_of(const NpyHeader& header, const char* data) {
  return at::from_blob(const_cast<char*>(data), header.shape,
                       at::TensorOptions().dtype(header.type));
}

// The numbers of each channel from {"mean": [1, C, 1, 1], "std": …}, as LightningDiT's
// img_latent_dataset.py saves them.
Normalization channel_statistics(const std::string& path, int64_t channels) {
  TensorFile file(path);
  file.verify();
  const auto numbers = [&](const char* name) {
    const auto* value = file.root().find(name);
    WF_CHECK(value && value->is(pickle::Kind::tensor), path, ": expected tensors mean and std");
    const auto tensor = file.tensor(*value).to(at::kFloat).flatten();
    WF_CHECK(tensor.numel() == channels, path, ": ", name, " of ", tensor.numel(),
             " channels, and the latents have ", channels);
    const auto* first = tensor.const_data_ptr<float>();
    return std::vector<float>(first, first + channels);
  };
  Normalization out{numbers("mean"), numbers("std")};
  for (int64_t c = 0; c < channels; ++c) {
    WF_CHECK(std::isfinite(out.mean[c]) && std::isfinite(out.factor[c]) && out.factor[c] > 0, path,
             ": channel ", c, " has mean ", out.mean[c], " and standard deviation ", out.factor[c],
             ", expected finite numbers and a standard deviation above 0");
    out.factor[c] = 1 / out.factor[c];
  }
  return out;
}

Part read_shard(const std::string& path) {
  const auto tensors = read_safetensors(path).tensors;
  const auto named = [&](const char* name) {
    const auto found = tensors.find(name);
    return found == tensors.end() ? at::Tensor() : found->second;
  };
  Part part{path, named("latents"), named("latents_flip"), named("labels"), nullptr};
  WF_CHECK(part.latents.defined() && part.labels.defined(), path, ": has no ",
           part.latents.defined() ? "labels: every latent needs its label"
                                  : "latents: expected LightningDiT's latents and labels");
  return part;
}

}  // namespace

std::shared_ptr<const Latents> open_arrays(const std::string& directory,
                                           const LatentOptions& options) {
  auto out = std::make_shared<ArrayLatents>(scale_or(options, 1));
  const auto file = std::make_shared<const MappedFile>(directory + "/latents.npy");
  const auto header = parse_npy(file->bytes(), file->path());
  WF_CHECK(fs::exists(directory + "/labels.npy"), directory,
           ": has latents.npy and no labels.npy: every latent needs its label");
  out->add({file->path(),
            view_of(header, file->bytes().data() + header.data),
            {},
            read_npy(directory + "/labels.npy"),
            file});
  return out;
}

std::shared_ptr<const Latents> open_npz_latents(const std::string& path,
                                                const LatentOptions& options) {
  const NpzFile file(path);
  const bool named = file.has("latents");
  const std::string latents = named ? "latents" : "arr_0", labels = named ? "labels" : "arr_1";
  WF_CHECK(file.has(latents) && file.has(labels), path,
           ": expected latents and labels, or arr_0 "
           "and arr_1, and it has ",
           join(file.names(), ", "), ": save it with numpy.savez(FILE, latents=…, labels=…)");
  auto out = std::make_shared<ArrayLatents>(scale_or(options, 1));
  const auto array = file.open(latents);
  out->add({path, view_of(array.header, array.data.data()), {}, file.read(labels), array.owner});
  return out;
}

std::shared_ptr<const Latents> open_latent_shards(const std::string& directory,
                                                  const LatentOptions& options) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".safetensors") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  auto out = std::make_shared<ArrayLatents>(scale_or(options, 1));
  for (const auto& path : paths) out->add(read_shard(path));
  const auto statistics = directory + "/latents_stats.pt";
  if (options.scale > 0) return out;
  WF_CHECK(fs::exists(statistics), directory,
           ": has no latents_stats.pt, with the mean and the standard deviation of each channel: "
           "LightningDiT writes it when it first reads these latents; or set DATA.LATENT_SCALE "
           "(0.18215 for Stable Diffusion's VAE)");
  out->normalize(channel_statistics(statistics, out->channels()));
  return out;
}

}  // namespace wf
