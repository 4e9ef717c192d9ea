#include "weightformer/nn/short_weights.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

namespace wf {
namespace {

thread_local ShortWeights* active = nullptr;

std::pair<int64_t, const void*> state_of(const at::Tensor& weight) {
  return {weight._version(), weight.is_meta() ? nullptr : weight.const_data_ptr()};
}

// The copy as a function of the weight.
struct ShortWeight : torch::autograd::Function<ShortWeight> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& weight,
                            const at::Tensor& copy) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["dtype"] = weight.scalar_type();
    return at::alias(copy);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    return {grads[0].to(context->saved_data["dtype"].toScalarType()), {}};
  }
};

}  // namespace

ShortWeights::Scope::Scope(ShortWeights* weights, bool all) : before_(active) {
  active = weights;
  if (weights) weights->refresh(all);
}

ShortWeights::Scope::~Scope() { active = before_; }

at::Tensor ShortWeights::cast(const at::Tensor& weight, at::ScalarType type) {
  const bool trained = weight.requires_grad() && weight.is_leaf() && at::GradMode::is_enabled();
  if (!active || !trained || weight.scalar_type() == type) return weight.to(type);
  return ShortWeight::apply(weight, active->copy_of(weight, type));
}

void ShortWeights::refresh(bool all) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> changed, into;
  for (size_t i = 0; i < masters_.size(); ++i) {
    const auto now = state_of(masters_[i]);
    if (now == states_[i] && !all) continue;
    if (now.second != states_[i].second)
      copies_[i] = at::empty_like(masters_[i], masters_[i].options().dtype(copies_[i].dtype()));
    states_[i] = now;
    changed.push_back(masters_[i]);
    into.push_back(copies_[i]);
  }
  if (!into.empty()) at::_foreach_copy_(into, changed);
}

at::Tensor ShortWeights::copy_of(const at::Tensor& weight, at::ScalarType type) {
  const auto* key = weight.unsafeGetTensorImpl();
  const auto found = places_.find(key);
  if (found != places_.end() && copies_[found->second].scalar_type() == type) {
    return copies_[found->second];
  }
  const auto copy = weight.detach().to(type);
  if (found == places_.end()) {
    places_[key] = masters_.size();
    masters_.push_back(weight);
    states_.push_back(state_of(weight));
    copies_.push_back(copy);
  }
  return copy;
}

}  // namespace wf
