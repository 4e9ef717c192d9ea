#include "weightformer/optim/ema.h"

#include "weightformer/core/check.h"

#include <torch/torch.h>

namespace wf {

Ema::Ema(const torch::nn::Module& model, double decay) : decay_(decay) {
  WF_CHECK(decay >= 0 && decay < 1, "Ema: the decay must be in [0, 1), got ", decay);
  for (const auto& item : model.named_parameters()) {
    names_.push_back(item.key());
    weights_.push_back(item.value().detach());
    averages_.push_back(weights_.back().clone());
  }
}

void Ema::update() {
  const torch::NoGradGuard no_grad;
  at::_foreach_lerp_(averages_, weights_, 1 - decay_);
}

void Ema::reset() {
  const torch::NoGradGuard no_grad;
  at::_foreach_copy_(averages_, weights_);
}

void Ema::swap() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) {
    const auto weight = weights_[i].clone();
    weights_[i].copy_(averages_[i]);
    averages_[i].copy_(weight);
  }
}

std::map<std::string, at::Tensor> Ema::state() const {
  std::map<std::string, at::Tensor> out;
  for (size_t i = 0; i < names_.size(); ++i) out[names_[i]] = averages_[i];
  return out;
}

void Ema::load_state(const std::map<std::string, at::Tensor>& state, const std::string& source) {
  for (size_t i = 0; i < names_.size(); ++i) {
    const auto found = state.find(names_[i]);
    WF_CHECK(found != state.end(), source, ": no average of ", names_[i]);
    WF_CHECK(found->second.sizes() == averages_[i].sizes(), source, ": the average of ", names_[i],
             " is ", found->second.sizes(), ", expected ", averages_[i].sizes());
  }
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < names_.size(); ++i) averages_[i].copy_(state.at(names_[i]));
}

}  // namespace wf
