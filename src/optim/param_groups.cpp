#include "weightformer/optim/param_groups.h"

#include <torch/nn/module.h>

namespace wf {
namespace {

bool is_bias(const std::string& name) {
  constexpr std::string_view kEnd = ".bias";
  return name.size() >= kEnd.size() &&
         name.compare(name.size() - kEnd.size(), kEnd.size(), kEnd) == 0;
}

}  // namespace

std::vector<ParamGroup> param_groups(const torch::nn::Module& module, double weight_decay) {
  ParamGroup decayed{{}, {}, weight_decay}, plain{{}, {}, 0};
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    auto& group = item.value().dim() > 1 && !is_bias(item.key()) ? decayed : plain;
    group.names.push_back(item.key());
    group.params.push_back(item.value());
  }
  return {std::move(decayed), std::move(plain)};
}

}  // namespace wf
