#include "weightformer/models/model.h"

#include "weightformer/models/dit.h"
#include "weightformer/models/weightformer.h"

#include "core/registry.h"

#include <algorithm>

namespace wf {
namespace {

WeightFormerOptions shape(int64_t dim, int64_t depth, int64_t patch, int64_t pixels) {
  return WeightFormerOptions().dim(dim).depth(depth).patch_size(patch).image_size(pixels);
}

const Registry<WeightFormerOptions>& classifiers() {
  static const Registry<WeightFormerOptions> table(
      "model", {
                   {"wfm_tiny", shape(192, 17, 16, 224)},
                   {"wfm_small", shape(384, 17, 16, 224)},
                   {"wfm_base", shape(384, 17, 16, 448)},
                   {"wfm_nano", shape(32, 5, 8, 64).num_classes(10)},  // for tests
                   // The short names of the published configuration files.
                   {"wfm_t", shape(192, 17, 16, 224)},
                   {"wfm_s", shape(384, 17, 16, 224)},
                   {"wfm_b", shape(384, 17, 16, 448)},
               });
  return table;
}

}  // namespace

std::shared_ptr<Classifier> create_classifier(const std::string& name,
                                              const ClassifierOverrides& overrides) {
  const auto others = dit_names();
  WF_CHECK(std::count(others.begin(), others.end(), name) == 0, name,
           " is a diffusion model; the classifiers are ", join(classifier_names(), ", "));
  WeightFormerOptions options = classifiers().at(name);
  if (overrides.num_classes) options.num_classes(overrides.num_classes);
  if (overrides.dim) options.dim(overrides.dim);
  if (overrides.depth) options.depth(overrides.depth);
  if (overrides.patch_size) options.patch_size(overrides.patch_size);
  options.drop_rate(overrides.drop_rate)
      .drop_path_rate(overrides.drop_path_rate)
      .dynamic_linear(overrides.dynamic_linear)
      .recompute(overrides.recompute);
  return std::make_shared<WeightFormerImpl>(options);
}

std::vector<std::string> classifier_names() { return classifiers().names(); }

}  // namespace wf
