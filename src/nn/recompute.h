#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace torch::nn {
class Module;
}

namespace wf {

using TensorFunction = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Activation checkpointing (Chen et al. 2016): function(inputs), whose intermediate tensors are
/// not stored but recomputed in the backward pass. Same values and gradients, less memory, about a
/// third more time.
///
/// `function` must depend only on the inputs, the parameters of `module` and draws from `generator`
/// (undefined: no draws); autocast is set as in the forward pass. `function` is stored until the
/// backward pass, so it must own what it uses.
at::Tensor recompute(const torch::nn::Module& module, const TensorFunction& function,
                     const std::vector<at::Tensor>& inputs, const at::Generator& generator);

/// recompute() if `enabled`, else plain function(inputs).
inline at::Tensor recompute_if(bool enabled, const torch::nn::Module& module,
                               const TensorFunction& function,
                               const std::vector<at::Tensor>& inputs,
                               const at::Generator& generator) {
  return enabled ? recompute(module, function, inputs, generator) : function(inputs);
}

}  // namespace wf
