#include "weightformer/nn/recompute.h"

#include "weightformer/nn/autocast.h"

#include <torch/csrc/autograd/functions/utils.h>
#include <torch/torch.h>

namespace wf {
namespace {

// Puts a generator where it stood at `state`, and back.
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

// Its inputs are x and the parameters, so their gradients leave through the outer graph: hooks on
// the parameters (data-parallel training has some) see each gradient once, when it is complete.
struct RecomputeBackward : torch::autograd::Node {
  std::function<at::Tensor(const at::Tensor&)> function;
  torch::autograd::SavedVariable saved;
  std::vector<at::Tensor> parameters;
  at::Generator generator;
  at::Tensor generator_state;
  std::optional<at::ScalarType> amp;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    if (!grads[0].defined()) return torch::autograd::variable_list(1 + parameters.size());
    const auto x = saved.unpack();
    const auto input = x.detach().requires_grad_(x.requires_grad());
    at::Tensor y;
    {
      const torch::AutoGradMode with_grad(true);
      const GeneratorAt draws(generator, generator_state);
      const Autocast autocast(amp, x.device().type());
      y = function(input);
    }
    std::vector<at::Tensor> wanted;
    std::vector<size_t> places;
    const auto want = [&](const at::Tensor& tensor, size_t place) {
      if (!tensor.requires_grad()) return;
      wanted.push_back(tensor);
      places.push_back(place);
    };
    want(input, 0);
    for (size_t i = 0; i < parameters.size(); ++i) want(parameters[i], i + 1);
    const auto found = torch::autograd::grad({y}, wanted, {grads[0]}, /*retain_graph=*/false,
                                             /*create_graph=*/false, /*allow_unused=*/true);
    torch::autograd::variable_list out(1 + parameters.size());
    for (size_t i = 0; i < found.size(); ++i) out[places[i]] = found[i];
    return out;
  }

  void release_variables() override {
    saved.reset_data();
    function = nullptr;
  }
};

}  // namespace

at::Tensor recompute(const torch::nn::Module& module,
                     const std::function<at::Tensor(const at::Tensor&)>& function,
                     const at::Tensor& x, const at::Generator& generator) {
  const auto parameters = module.parameters();
  const bool needed =
      x.requires_grad() || std::any_of(parameters.begin(), parameters.end(),
                                       [](const at::Tensor& p) { return p.requires_grad(); });
  if (!at::GradMode::is_enabled() || !needed) return function(x);
  const std::shared_ptr<RecomputeBackward> node(new RecomputeBackward, torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(x, parameters));
  node->function = function;
  node->saved = torch::autograd::SavedVariable(x, /*is_output=*/false);
  node->parameters = parameters;
  node->generator = generator;
  if (generator.defined()) node->generator_state = GeneratorAt::read(generator);
  node->amp = Autocast::current(x.device().type());
  at::Tensor y;
  {
    const torch::NoGradGuard no_grad;
    y = function(x);
  }
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace wf
