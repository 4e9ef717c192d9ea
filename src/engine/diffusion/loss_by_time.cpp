#include "engine/diffusion/loss_by_time.h"

#include "engine/distributed.h"

#include <torch/types.h>

namespace wf {

LossByTime::LossByTime(c10::Device device)
    : added_(torch::zeros({4, 2}, torch::dtype(torch::kDouble).device(device))),
      window_(torch::zeros({4, 2}, torch::kDouble)) {}

void LossByTime::add(const at::Tensor& u, const at::Tensor& losses) {
  const auto quarter = (u * 4).floor().clamp(0, 3).to(torch::kLong);
  const auto finite = losses.isfinite().to(torch::kDouble);
  const auto values = losses.nan_to_num(0.0, 0.0, 0.0).to(torch::kDouble) * finite;
  added_.index_add_(0, quarter.to(added_.device(), /*non_blocking=*/true),
                    torch::stack({values, finite}, 1));
}

void LossByTime::reduce(Distributed& ranks) {
  auto added = added_.cpu().clone();
  ranks.sum(added);
  window_ += added;
  added_.zero_();
}

double LossByTime::count() const { return window_.select(1, 1).sum().item<double>(); }

double LossByTime::mean() const { return window_.select(1, 0).sum().item<double>() / count(); }

void LossByTime::take(const MetricSpec (&specs)[4], Metrics& into) {
  for (int64_t i = 0; i < 4; ++i) {
    const double sum = window_[i][0].item<double>(), count = window_[i][1].item<double>();
    if (count > 0) into.add(specs[i], sum / count);
  }
  window_.zero_();
}

}  // namespace wf
