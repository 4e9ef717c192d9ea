#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>

namespace torch::nn {
class Module;
}

namespace wf {

/// function(x), with what lies between x and the result not kept for the backward pass but computed
/// again there (gradient checkpointing; Chen et al. 2016). Same values and gradients, less memory,
/// about a third more time.
///
/// `function` must be a function of x, of the parameters of `module` and of draws from `generator`
/// alone (undefined: it draws nothing); autocast is as it was in the forward pass. `function` is
/// kept until the backward pass, so it must hold what it uses.
at::Tensor recompute(const torch::nn::Module& module,
                     const std::function<at::Tensor(const at::Tensor&)>& function,
                     const at::Tensor& x, const at::Generator& generator);

}  // namespace wf
