#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
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

/// Whether weight decay applies to a parameter, as in the reference implementation: it has two or
/// more dimensions and its name does not end in ".bias".
bool uses_weight_decay(const std::string& name, int64_t dims);

/// The layer of a parameter by its name, counted from the input: Model::layer_index().
using LayerIndex = std::function<int64_t(const std::string&)>;

/// The two groups of the reference implementation, each in the order of named_parameters(): the
/// parameters with weight decay (see uses_weight_decay()), then those without. Parameters that need
/// no gradient are not included.
/// `layer_decay` below 1 splits each group by layer, the first layer first: the last layer trains
/// at the full learning rate and each layer below at layer_decay times that of the layer above
/// (layer-wise decay, Bao et al. 2022, BEiT). `layer_index` is then that of the model.
std::vector<ParamGroup> param_groups(const torch::nn::Module& module, double weight_decay,
                                     double layer_decay = 1, const LayerIndex& layer_index = {});

/// Freezes the parameters that match `patterns`, which are separated by commas: each is a name
/// ("head.weight") or a prefix up to a dot ("blocks.0"). Returns the number of parameters frozen.
/// Throws wf::Error for a pattern without a match, and when no trainable parameter remains.
int64_t freeze(torch::nn::Module& module, const std::string& patterns);

/// The gradients of all parameters that have one.
std::vector<at::Tensor> all_gradients(const std::vector<ParamGroup>& groups);

}  // namespace wf
