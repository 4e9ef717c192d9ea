#include "weightformer/optim/param_groups.h"

#include "core/registry.h"
#include "core/text.h"

#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

namespace wf {
namespace {

bool names(const std::string& pattern, const std::string& parameter) {
  return parameter == pattern || starts_with(parameter, pattern + ".");
}

}  // namespace

bool uses_weight_decay(const std::string& name, int64_t dims) {
  return dims > 1 && !ends_with(name, ".bias");
}

std::vector<ParamGroup> param_groups(const torch::nn::Module& module, double weight_decay,
                                     double layer_decay, const LayerIndex& layer_index) {
  WF_CHECK(layer_decay >= 1 || layer_index, "layer-wise decay needs the layers of the model");
  const auto layer_of = [&](const std::string& name) {
    return layer_decay < 1 ? layer_index(name) : 0;
  };
  int64_t last = 0;
  for (const auto& item : module.named_parameters()) last = std::max(last, layer_of(item.key()));
  std::map<std::pair<int64_t, bool>, ParamGroup> groups;  // by layer; of a layer the decayed first
  if (layer_decay >= 1) groups = {{{0, false}, {{}, {}, weight_decay}}, {{0, true}, {}}};
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const int64_t layer = layer_of(item.key());
    const bool decays = uses_weight_decay(item.key(), item.value().dim());
    auto& group = groups[{layer, !decays}];
    group.weight_decay = decays ? weight_decay : 0;
    if (layer_decay < 1) group.lr_scale = std::pow(layer_decay, last - layer);
    group.names.push_back(item.key());
    group.params.push_back(item.value());
  }
  std::vector<ParamGroup> out;
  for (auto& [place, group] : groups) out.push_back(std::move(group));
  return out;
}

int64_t freeze(torch::nn::Module& module, const std::string& patterns) {
  std::istringstream words(patterns);
  int64_t frozen = 0, left = 0;
  for (std::string pattern; std::getline(words, pattern, ',');) {
    pattern.erase(0, pattern.find_first_not_of(' '));
    pattern.erase(pattern.find_last_not_of(' ') + 1);
    int64_t found = 0;
    for (const auto& item : module.named_parameters()) {
      if (!names(pattern, item.key())) continue;
      found += 1;
      frozen += item.value().requires_grad();
      at::Tensor(item.value()).requires_grad_(false);
    }
    if (found > 0) continue;
    std::vector<std::string> known;
    for (const auto& item : module.named_parameters()) known.push_back(item.key());
    for (const auto& item : module.named_modules()) known.push_back(item.key());
    throw Error(str("freeze: no parameter is named ", pattern, ", did you mean ",
                    nearest(pattern, known), "?"));
  }
  for (const auto& parameter : module.parameters()) left += parameter.requires_grad();
  WF_CHECK(left > 0, "freeze: ", patterns, " leaves nothing to train");
  return frozen;
}

std::vector<at::Tensor> all_gradients(const std::vector<ParamGroup>& groups) {
  std::vector<at::Tensor> out;
  for (const auto& group : groups) {
    for (const auto& param : group.params) {
      if (param.grad().defined()) out.push_back(param.grad());
    }
  }
  return out;
}

}  // namespace wf
