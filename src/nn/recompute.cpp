#include "nn/recompute.h"

#include "weightformer/nn/mixed_precision.h"

#include <c10/util/intrusive_ptr.h>
#include <torch/autograd.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <memory>
#include <type_traits>

namespace wf {
namespace {

// Sets a generator to `state` during its lifetime.
class GeneratorAt {
 public:
  GeneratorAt(at::Generator generator, const at::Tensor& state) : generator_(std::move(generator)) {
    if (!generator_.defined()) return;
    before_ = read(generator_);
    write(state);
  }
  ~GeneratorAt() {
    if (generator_.defined()) write(before_);
  }
  GeneratorAt(const GeneratorAt&) = delete;
  GeneratorAt& operator=(const GeneratorAt&) = delete;

  static at::Tensor read(at::Generator generator) {
    const std::lock_guard lock(generator.mutex());
    return generator.get_state();
  }

 private:
  void write(const at::Tensor& state) {
    const std::lock_guard lock(generator_.mutex());
    generator_.set_state(state);
  }

  at::Generator generator_;
  at::Tensor before_;
};

bool any_requires_grad(const std::vector<at::Tensor>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const at::Tensor& t) { return t.requires_grad(); });
}

// Its inputs are those of the function and the parameters, so that all gradients belong to the
// outer graph: hooks on the parameters (of data-parallel training) run once per parameter, with the
// complete gradient.
struct RecomputeBackward : torch::autograd::Node {
  TensorFunction function;
  std::vector<torch::autograd::SavedVariable> saved;
  std::vector<at::Tensor> parameters;
  at::Generator generator;
  at::Tensor generator_state;
  std::optional<Precision> precision;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    torch::autograd::variable_list out(saved.size() + parameters.size());
    if (!grads[0].defined()) return out;
    std::vector<at::Tensor> inputs;
    for (const auto& variable : saved) {
      const auto input = variable.unpack();
      inputs.push_back(input.detach().requires_grad_(input.requires_grad()));
    }
    at::Tensor y;
    {
      const torch::AutoGradMode with_grad(true);
      const GeneratorAt draws(generator, generator_state);
      const MixedPrecision mixed(precision, inputs.at(0).device().type());
      y = function(inputs);
    }
    std::vector<at::Tensor> wanted;
    std::vector<size_t> places;
    const auto want = [&](const std::vector<at::Tensor>& tensors, size_t first) {
      for (size_t i = 0; i < tensors.size(); ++i) {
        if (!tensors[i].requires_grad()) continue;
        wanted.push_back(tensors[i]);
        places.push_back(first + i);
      }
    };
    want(inputs, 0);
    want(parameters, inputs.size());
    const auto found = torch::autograd::grad({y}, wanted, {grads[0]}, /*retain_graph=*/false,
                                             /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < found.size(); ++i) out[places[i]] = found[i];
    return out;
  }

  void release_variables() override {
    for (auto& variable : saved) variable.reset_data();
    function = nullptr;
  }
};

// Nodes count their references themselves in LibTorch 2.15; in 2.11 shared pointers do, with a
// deleter against deep recursion.
template <typename Node>
auto make_node() {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Node>) {
    return c10::make_intrusive<Node>();
  } else {
    return std::shared_ptr<Node>(new Node, [](auto* node) { deleteNode(node); });
  }
}

}  // namespace

at::Tensor recompute(const torch::nn::Module& module, const TensorFunction& function,
                     const std::vector<at::Tensor>& inputs, const at::Generator& generator) {
  const auto parameters = module.parameters();
  const bool needed = any_requires_grad(inputs) || any_requires_grad(parameters);
  if (!at::GradMode::is_enabled() || !needed) return function(inputs);
  const auto node = make_node<RecomputeBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(inputs, parameters));
  node->function = function;
  for (const auto& input : inputs) node->saved.emplace_back(input, /*is_output=*/false);
  node->parameters = parameters;
  node->generator = generator;
  if (generator.defined()) node->generator_state = GeneratorAt::read(generator);
  node->precision = MixedPrecision::current(inputs.at(0).device().type());
  at::Tensor y;
  {
    const torch::NoGradGuard no_grad;
    y = function(inputs);
  }
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace wf
