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
  double lr_scale = 1;  ///< factor of the learning rate
};

/// The published two groups, in the order of named_parameters(): first those that decay, which have
/// two or more dimensions and a name that does not end in ".bias"; then the others, with decay 0.
/// Parameters that need no gradient are left out.
/// `layer_decay` below 1 splits each group by layer, the first layer first: the head learns at the
/// full rate and each layer below it at layer_decay times that of the layer above (BEiT's
/// layer-wise decay, Bao et al. 2022). Layers: patch_embed and init_norm, each of blocks.N, the
/// rest.
std::vector<ParamGroup> param_groups(const torch::nn::Module& module, double weight_decay,
                                     double layer_decay = 1);

/// Takes the parameters that a pattern names out of training. `patterns`: separated by commas; each
/// is a name ("head.weight"), or its beginning up to a dot ("blocks.0"). Returns how many were
/// frozen. Throws wf::Error for a pattern that names nothing, and when nothing is left to train.
int64_t freeze(torch::nn::Module& module, const std::string& patterns);

/// The gradients that are there now.
std::vector<at::Tensor> all_gradients(const std::vector<ParamGroup>& groups);

}  // namespace wf
