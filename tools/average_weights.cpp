#include "average_weights.h"

#include "weightformer/core/check.h"

#include "runtime/progress_bar.h"

#include <torch/types.h>

namespace wf {
namespace {

void require_same_names(const TensorMap& first, const TensorMap& other, const std::string& names) {
  for (const auto& [name, tensor] : first) {
    const auto found = other.find(name);
    WF_CHECK(found != other.end(), names, ": only the first has ", name);
    WF_CHECK(found->second.sizes() == tensor.sizes(), names, ": ", name, " is ", tensor.sizes(),
             " in the first and ", found->second.sizes(), " in the second");
  }
  for (const auto& [name, tensor] : other) {
    WF_CHECK(first.count(name), names, ": only the second has ", name);
  }
}

}  // namespace

Weights average_weights(const std::vector<std::string>& paths, const WeightsOptions& options) {
  auto mean = read_weights(paths[0], options);
  ProgressBar bar("averaging", static_cast<int64_t>(paths.size()), "files");
  TensorMap sums;
  for (const auto& [name, tensor] : mean.tensors) sums[name] = tensor.to(torch::kDouble);
  for (size_t i = 1; i < paths.size(); ++i) {
    const auto other = read_weights(paths[i], options);
    const auto names = paths[0] + " and " + paths[i];
    WF_CHECK(other.classes == mean.classes, names, ": the classes differ");
    require_same_names(mean.tensors, other.tensors, names);
    for (auto& [name, sum] : sums) {
      const auto& tensor = other.tensors.at(name);
      WF_CHECK(tensor.is_floating_point() || torch::equal(tensor, mean.tensors.at(name)), names,
               ": ", name, " holds integers that differ");
      sum += tensor.to(torch::kDouble);
    }
    bar.show(static_cast<int64_t>(i) + 1);
  }
  for (auto& [name, tensor] : mean.tensors) {
    if (!tensor.is_floating_point()) continue;
    tensor = (sums.at(name) / static_cast<double>(paths.size())).to(tensor.scalar_type());
  }
  return mean;
}

}  // namespace wf
