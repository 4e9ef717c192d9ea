#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace wf {

/// Parameters that share their optimizer settings.
struct ParamGroup {
  std::vector<std::string> names;
  std::vector<at::Tensor> params;
  double weight_decay = 0;
};

/// The published two groups, in the order of named_parameters(): first those that decay, which have
/// two or more dimensions and a name that does not end in ".bias"; then the others, with decay 0.
/// Parameters that need no gradient are left out.
std::vector<ParamGroup> param_groups(const torch::nn::Module& module, double weight_decay);

}  // namespace wf
