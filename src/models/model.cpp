#include "weightformer/models/model.h"

#include "weightformer/core/check.h"

#include "core/text.h"

#include <algorithm>
#include <charconv>

namespace wf {

int64_t layer_by_block(const std::string& parameter, const std::vector<std::string>& stem,
                       int64_t depth) {
  const auto begins_with = [&](const std::string& prefix) {
    return starts_with(parameter, prefix);
  };
  if (std::any_of(stem.begin(), stem.end(), begins_with)) return 0;
  const std::string blocks = "blocks.";
  if (!begins_with(blocks)) return depth + 1;
  int64_t block = 0;
  std::from_chars(parameter.data() + blocks.size(), parameter.data() + parameter.size(), block);
  return block + 1;
}

at::Tensor Classifier::features(const at::Tensor&) {
  throw Error("this classifier has no features in front of its head (Classifier::features)");
}

std::vector<at::Tensor> Classifier::forward_features(const at::Tensor&, const FeatureOptions&) {
  throw Error("this classifier has no token grids (Classifier::forward_features)");
}

}  // namespace wf
