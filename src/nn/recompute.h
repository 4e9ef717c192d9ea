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

/// function(inputs), with what lies between them and the result not kept for the backward pass but
/// computed again there (gradient checkpointing; Chen et al. 2016). Same values and gradients, less
/// memory, about a third more time.
///
/// `function` must be a function of the inputs, of the parameters of `module` and of draws from
/// `generator` alone (undefined: it draws nothing); autocast is as it was in the forward pass.
/// `function` is kept until the backward pass, so it must hold what it uses.
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
