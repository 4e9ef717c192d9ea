#include "diffusion/noise_schedule.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace wf {
namespace {

std::vector<double> linear_betas(int64_t steps) {
  const double scale = 1000.0 / static_cast<double>(steps);
  const double first = scale * 1e-4, last = scale * 0.02;
  WF_CHECK(last < 1, "DIFFUSION.STEPS ", steps,
           ": linear betas reach pure noise in fewer than 21 steps; use more, or "
           "DIFFUSION.BETAS cosine");
  std::vector<double> betas(steps);
  for (int64_t i = 0; i < steps; ++i) {
    betas[i] = first + static_cast<double>(i) * ((last - first) / static_cast<double>(steps - 1));
  }
  betas.back() = last;
  return betas;
}

std::vector<double> cosine_betas(int64_t steps) {
  constexpr double kOffset = 0.008, kPi = 3.14159265358979323846, kMax = 0.999;
  const auto abar = [&](int64_t i) {
    const double t = static_cast<double>(i) / static_cast<double>(steps);
    return std::pow(std::cos((t + kOffset) / (1 + kOffset) * kPi / 2), 2);
  };
  std::vector<double> betas(steps);
  for (int64_t i = 0; i < steps; ++i) betas[i] = std::min(1 - abar(i + 1) / abar(i), kMax);
  return betas;
}

}  // namespace

std::vector<double> make_betas(BetaKind kind, int64_t steps) {
  WF_CHECK(steps >= 2, "a diffusion process needs at least two steps, got ", steps);
  return kind == BetaKind::linear ? linear_betas(steps) : cosine_betas(steps);
}

std::vector<int64_t> spaced_steps(int64_t steps, int64_t count) {
  WF_CHECK(count >= 1 && count <= steps, "a process of ", steps, " steps cannot be sampled in ",
           count, ": set the number of steps to 1 … ", steps);
  const double stride =
      count > 1 ? static_cast<double>(steps - 1) / static_cast<double>(count - 1) : 1;
  std::vector<int64_t> out;
  double at = 0;  // accumulated, not multiplied: rounding must match the published code
  for (int64_t i = 0; i < count; ++i, at += stride) {
    out.push_back(static_cast<int64_t>(std::nearbyint(at)));
  }
  return out;
}

std::vector<int64_t> strided_steps(int64_t steps, int64_t count) {
  for (int64_t stride = 1; stride < steps; ++stride) {
    if ((steps + stride - 1) / stride != count) continue;
    std::vector<int64_t> out;
    for (int64_t at = 0; at < steps; at += stride) out.push_back(at);
    return out;
  }
  throw Error(str("DDIM takes every n-th of the ", steps, " steps, and no n gives ", count,
                  " steps: choose another number, such as 50, 100 or 250"));
}

NoiseSchedule::NoiseSchedule(const std::vector<double>& betas, std::vector<int64_t> timesteps)
    : timesteps_(std::move(timesteps)), table_(torch::empty({kRows, size()}, torch::kDouble)) {
  std::vector<double> abar_of_all;
  double product = 1;
  for (const double beta : betas) abar_of_all.push_back(product *= 1 - beta);
  auto table = table_.accessor<double, 2>();
  double last = 1, before = 1;
  product = 1;
  for (int64_t i = 0; i < size(); ++i) {
    const double kept = abar_of_all[timesteps_[i]];
    const double beta = 1 - kept / std::exchange(last, kept);
    const double abar = product *= 1 - beta;
    table[kBeta][i] = beta;
    table[kAbar][i] = abar;
    table[kAbarBefore][i] = before;
    table[kSqrtAbar][i] = std::sqrt(abar);
    table[kSqrtOneMinusAbar][i] = std::sqrt(1 - abar);
    table[kPosteriorVariance][i] = beta * (1 - before) / (1 - abar);
    table[kPosteriorX0][i] = beta * std::sqrt(before) / (1 - abar);
    table[kPosteriorX][i] = (1 - before) * std::sqrt(1 - beta) / (1 - abar);
    table[kLogBeta][i] = std::log(beta);
    before = abar;
  }
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t from = i == 0 && size() > 1 ? 1 : i;
    table[kPosteriorLog][i] = std::log(table[kPosteriorVariance][from]);
    table[kFixedLog][i] = i == 0 ? table[kPosteriorLog][0] : table[kLogBeta][i];
  }
}

at::Tensor NoiseSchedule::at(Row row, const at::Tensor& steps) const {
  if (!on_device_.defined() || on_device_.device() != steps.device()) {
    on_device_ = table_.to(torch::kFloat).to(steps.device());
  }
  return on_device_[row].index_select(0, steps).view({-1, 1, 1, 1});
}

double NoiseSchedule::at(Row row, int64_t step) const { return table_[row][step].item<double>(); }

}  // namespace wf
