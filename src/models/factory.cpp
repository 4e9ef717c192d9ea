// All models by name: a new network is one line in the table.

#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"
#include "weightformer/models/weightformer.h"

#include "core/registry.h"

#include <variant>

namespace wf {
namespace {

struct ClassifierEntry {
  ClassifierOptions options;
  std::shared_ptr<Classifier> (*make)(const ClassifierOptions& options);
};

template <typename Network>
ClassifierEntry classifier(const ClassifierOptions& options) {
  return {options, [](const ClassifierOptions& changed) -> std::shared_ptr<Classifier> {
            return std::make_shared<Network>(changed);
          }};
}

ClassifierOptions shape(int64_t dim, int64_t depth, int64_t patch, int64_t image_size) {
  return ClassifierOptions().dim(dim).depth(depth).patch_size(patch).image_size(image_size);
}

DiTOptions dit(int64_t dim, int64_t patch) { return DiTOptions().dim(dim).patch_size(patch); }

using Entry = std::variant<ClassifierEntry, DiTOptions>;

const Registry<Entry>& models() {
  static const Registry<Entry> table(
      "model", {
                   {"wfm_tiny", classifier<WeightFormerImpl>(shape(192, 17, 16, 224))},
                   {"wfm_small", classifier<WeightFormerImpl>(shape(384, 17, 16, 224))},
                   {"wfm_base", classifier<WeightFormerImpl>(shape(384, 17, 16, 448))},
                   // For tests.
                   {"wfm_nano", classifier<WeightFormerImpl>(shape(32, 5, 8, 64).num_classes(10))},
                   // The short names in the original's configuration files.
                   {"wfm_t", classifier<WeightFormerImpl>(shape(192, 17, 16, 224))},
                   {"wfm_s", classifier<WeightFormerImpl>(shape(384, 17, 16, 224))},
                   {"wfm_b", classifier<WeightFormerImpl>(shape(384, 17, 16, 448))},
                   // Diffusion models.
                   {"dit_s_2", dit(384, 2)},
                   {"dit_s_4", dit(384, 4)},
                   {"dit_s_8", dit(384, 8)},
                   {"dit_b_2", dit(768, 2)},
                   {"dit_b_4", dit(768, 4)},
                   {"dit_b_8", dit(768, 8)},
                   // For tests.
                   {"dit_nano", dit(32, 2).depth(5).latent_size(8).num_classes(10)},
               });
  return table;
}

template <typename Kind>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& name : models().names()) {
    if (std::holds_alternative<Kind>(models().at(name))) names.push_back(name);
  }
  return names;
}

const ClassifierEntry& classifier_entry(const std::string& name) {
  const auto* entry = std::get_if<ClassifierEntry>(&models().at(name));
  WF_CHECK(entry, name, " is a diffusion model; the classifiers are ",
           join(classifier_names(), ", "));
  return *entry;
}

}  // namespace

ClassifierOptions classifier_options(const std::string& name) {
  return ClassifierOptions(classifier_entry(name).options).name(name);
}

std::shared_ptr<Classifier> make_classifier(const ClassifierOptions& options) {
  return classifier_entry(options.name()).make(options);
}

std::shared_ptr<Classifier> create_classifier(const std::string& name) {
  return make_classifier(classifier_options(name));
}

std::vector<std::string> classifier_names() { return names_of<ClassifierEntry>(); }

DiTOptions dit_options(const std::string& name) {
  const auto* options = std::get_if<DiTOptions>(&models().at(name));
  WF_CHECK(options, name, " is a classifier; the diffusion models are ", join(dit_names(), ", "));
  return *options;
}

std::shared_ptr<DiTImpl> create_dit(const std::string& name) {
  return std::make_shared<DiTImpl>(dit_options(name));
}

std::vector<std::string> dit_names() { return names_of<DiTOptions>(); }

ModelKind model_kind(const std::string& name) {
  return std::holds_alternative<DiTOptions>(models().at(name)) ? ModelKind::diffusion
                                                               : ModelKind::classifier;
}

}  // namespace wf
