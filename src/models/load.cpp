#include "weightformer/models/load.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"

#include <torch/types.h>

#include <algorithm>
#include <charconv>

namespace wf {
namespace {

struct Shape {
  int64_t dim = 0, depth = 0, patch = 0, classes = 0;
};

int64_t count_blocks(const TensorMap& tensors) {
  const std::string prefix = "blocks.";
  int64_t count = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!starts_with(name, prefix)) continue;
    int64_t block = 0;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), block);
    count = std::max(count, block + 1);
  }
  return std::min(count, static_cast<int64_t>(tensors.size()));  // a name may hold any number
}

Shape shape_of(const TensorMap& tensors, const std::string& source) {
  const auto size = [&](const char* name, int64_t dims, int64_t axis) {
    const auto found = tensors.find(name);
    WF_CHECK(found != tensors.end() && found->second.dim() == dims, source,
             ": not the weights of a classifier: expected ", name, " with ", dims, " dimensions");
    return found->second.size(axis);
  };
  return {size("patch_embed.proj.weight", 4, 0), count_blocks(tensors),
          size("patch_embed.proj.weight", 4, 3), size("head.weight", 2, 0)};
}

std::string name_of(const Settings& settings, const Shape& shape, const std::string& source) {
  const auto names = classifier_names();
  const auto saved = settings.find("MODEL.NAME");
  if (saved != settings.end() &&
      std::find(names.begin(), names.end(), saved->second) != names.end()) {
    return saved->second;
  }
  for (const auto& name : names) {
    const auto known = classifier_options(name);
    if (known.dim() == shape.dim && known.depth() == shape.depth &&
        known.patch_size() == shape.patch) {
      return name;
    }
  }
  throw Error(str(source, ": weights of dimension ", shape.dim, ", depth ", shape.depth,
                  " and patch size ", shape.patch, ", as none of ", join(names, ", "), " has"));
}

}  // namespace

ClassifierOptions classifier_options(const Weights& weights, const std::string& source) {
  const auto shape = shape_of(weights.tensors, source);
  auto options = classifier_options(name_of(weights.settings, shape, source));
  options.dim(shape.dim).depth(shape.depth).patch_size(shape.patch).num_classes(shape.classes);
  const auto size = weights.settings.find("DATA.IMG_SIZE");
  int64_t pixels = 0;
  if (size != weights.settings.end()) {
    const auto& text = size->second;
    std::from_chars(text.data(), text.data() + text.size(), pixels);
  }
  if (pixels > 0) options.image_size(pixels);
  const auto saved = [&](const char* key, const std::string& otherwise) {
    const auto found = weights.settings.find(key);
    return found == weights.settings.end() ? otherwise : found->second;
  };
  return options.linear_predictor(saved("MODEL.LINEAR_PREDICTOR", options.linear_predictor()))
      .conv_predictor(saved("MODEL.CONV_PREDICTOR", options.conv_predictor()));
}

std::shared_ptr<Classifier> load_classifier(const std::string& path) {
  auto weights = read_weights(path, {/*ema=*/false, Checksums::while_loading});
  auto model = make_classifier(classifier_options(weights, path));
  load_weights(*model, std::move(weights), path);
  return model;
}

}  // namespace wf
