#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"

#include "core/registry.h"

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

DiTOptions shape(int64_t dim, int64_t patch) { return DiTOptions().dim(dim).patch_size(patch); }

const Registry<DiTOptions>& denoisers() {
  static const Registry<DiTOptions> table(
      "diffusion model",
      {
          {"dit_s_2", shape(384, 2)},
          {"dit_s_4", shape(384, 4)},
          {"dit_s_8", shape(384, 8)},
          {"dit_b_2", shape(768, 2)},
          {"dit_b_4", shape(768, 4)},
          {"dit_b_8", shape(768, 8)},
          {"dit_nano", shape(32, 2).depth(5).latent_size(8).num_classes(10)},  // for tests
      });
  return table;
}

}  // namespace

std::shared_ptr<DiTImpl> create_dit(const std::string& name, const DiTOverrides& overrides) {
  DiTOptions options = denoisers().at(name);
  if (overrides.num_classes) options.num_classes(overrides.num_classes);
  if (overrides.dim) options.dim(overrides.dim);
  if (overrides.depth) options.depth(overrides.depth);
  if (overrides.patch_size) options.patch_size(overrides.patch_size);
  if (overrides.latent_size) options.latent_size(overrides.latent_size);
  if (overrides.channels) options.channels(overrides.channels);
  options.label_drop(overrides.label_drop)
      .learn_sigma(overrides.learn_sigma)
      .dynamic_linear(overrides.dynamic_linear)
      .recompute(overrides.recompute);
  return std::make_shared<DiTImpl>(options);
}

std::vector<std::string> dit_names() { return denoisers().names(); }

bool is_dit(const std::string& name) {
  const auto ours = dit_names();
  auto all = classifier_names();
  all.insert(all.end(), ours.begin(), ours.end());
  return std::count(ours.begin(), ours.end(), nearest(name, all)) > 0;
}

DiTOverrides dit_overrides(const std::map<std::string, at::Tensor>& state) {
  DiTOverrides out;
  const auto find = [&](const char* name, int64_t dims) {
    const auto found = state.find(name);
    return found != state.end() && found->second.dim() == dims ? found->second : at::Tensor();
  };
  const auto table = find("y_embedder.embedding_table.weight", 2);
  if (table.defined() && table.size(0) > 1) out.num_classes = table.size(0) - 1;
  const auto patches = find("x_embedder.proj.weight", 4), last = find("final_layer.linear.bias", 1);
  if (!patches.defined()) return out;
  const int64_t channels = patches.size(1), patch = patches.size(2);
  out.channels = channels;
  if (last.defined()) out.learn_sigma = last.size(0) != channels * patch * patch;
  const auto positions = find("pos_embed", 3);
  if (!positions.defined()) return out;
  const auto side = std::llround(std::sqrt(static_cast<double>(positions.size(1))));
  if (side * side == positions.size(1)) out.latent_size = side * patch;
  return out;
}

}  // namespace wf
