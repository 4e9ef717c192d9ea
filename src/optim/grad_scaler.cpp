#include "weightformer/optim/grad_scaler.h"

#include "weightformer/core/check.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace wf {

GradScaler::GradScaler(c10::Device device, GradScalerOptions options)
    : options_(options),
      scale_(torch::full({1}, options.init_scale, torch::dtype(torch::kFloat).device(device))),
      growth_tracker_(torch::zeros({1}, torch::dtype(torch::kInt).device(device))) {}

at::Tensor GradScaler::unscale(const std::vector<ParamGroup>& groups) const {
  const torch::NoGradGuard no_grad;
  auto found_inf = torch::zeros_like(scale_);
  const auto gradients = all_gradients(groups);
  if (gradients.empty()) return found_inf;
  // In double, as PyTorch does: the inverse of a large scale would be inexact in float32.
  const auto inverse = scale_.to(torch::kDouble).reciprocal().to(torch::kFloat);
  at::_amp_foreach_non_finite_check_and_unscale_(gradients, found_inf, inverse);
  return found_inf;
}

void GradScaler::update(const at::Tensor& found_inf) {
  at::_amp_update_scale_(scale_, growth_tracker_, found_inf, options_.growth_factor,
                         options_.backoff_factor, options_.growth_interval);
}

double GradScaler::current() const { return scale_.item<double>(); }

std::map<std::string, at::Tensor> GradScaler::state() const {
  return {{"scale", scale_}, {"growth_tracker", growth_tracker_}};
}

void GradScaler::load_state(const std::map<std::string, at::Tensor>& state,
                            const std::string& source) {
  for (const auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    WF_CHECK(found != state.end() && found->second.numel() == 1, source, ": the gradient scaler's ",
             name, " is missing or not one number");
    at::Tensor(tensor).copy_(found->second.reshape({1}));
  }
}

}  // namespace wf
