#include "weightformer/optim/ema.h"

#include "weightformer/core/check.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

namespace wf {

EmaRule::EmaRule(double decay) : decay_(decay) {
  WF_CHECK(decay >= 0 && decay < 1, "Ema: the decay must be in [0, 1), got ", decay);
}

// The standard deviation of t^gamma on [0, 1] is sqrt((g + 1) / ((g + 2)^2 (g + 3))), which falls
// as gamma grows.
double EmaRule::power_exponent(double std) {
  WF_CHECK(std > 0 && std <= 0.28, "Ema: the width of a power function must be in (0, 0.28], got ",
           std);
  double low = 0, high = 1;
  const auto width = [](double g) { return std::sqrt((g + 1) / ((g + 2) * (g + 2) * (g + 3))); };
  while (width(high) > std) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (width(middle) > std ? low : high) = middle;
  }
  return (low + high) / 2;
}

EmaRule EmaRule::power(double std) {
  EmaRule rule(0);
  rule.exponent_ = power_exponent(std);
  return rule;
}

double EmaRule::decay(int64_t step) const {
  if (exponent_ < 0) return decay_;
  return std::pow(1 - 1 / static_cast<double>(step), exponent_ + 1);
}

Ema::Ema(const torch::nn::Module& model, EmaRule rule) : rule_(rule) {
  for (const auto& item : model.named_parameters()) {
    names_.push_back(item.key());
    weights_.push_back(item.value().detach());
    averages_.push_back(weights_.back().clone());
  }
}

void Ema::update(int64_t step) {
  const torch::NoGradGuard no_grad;
  at::_foreach_lerp_(averages_, weights_, weight(step));
}

// PyTorch has no lerp of many tensors by one on the device.
void Ema::update(const at::Tensor& weight) {
  const torch::NoGradGuard no_grad;
  const auto change = at::_foreach_sub(weights_, averages_);
  at::_foreach_mul_(change, weight);
  at::_foreach_add_(averages_, change);
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
