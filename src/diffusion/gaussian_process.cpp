#include "diffusion/gaussian_process.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <cmath>
#include <numeric>

namespace wf {
namespace {

std::vector<int64_t> all_steps(int64_t count) {
  std::vector<int64_t> steps(count);
  std::iota(steps.begin(), steps.end(), int64_t{0});
  return steps;
}

// Mean over all but the first dimension.
at::Tensor mean_flat(const at::Tensor& x) { return x.flatten(1).mean(1); }

// KL divergence between two normal distributions, in nats.
at::Tensor normal_kl(const at::Tensor& mean1, const at::Tensor& log1, const at::Tensor& mean2,
                     const at::Tensor& log2) {
  return 0.5 * (-1 + log2 - log1 + (log1 - log2).exp() + (mean1 - mean2).square() * (-log2).exp());
}

// The approximation of the normal distribution function that GPT's GELU uses, as published.
at::Tensor normal_cdf(const at::Tensor& x) {
  return 0.5 * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))).tanh());
}

// Log likelihood of 8-bit data scaled to [-1, 1], whose bins are 2 / 255 wide.
at::Tensor discretized_log_likelihood(const at::Tensor& x, const at::Tensor& mean,
                                      const at::Tensor& log_std) {
  constexpr double kLeast = 1e-12, kEdge = 0.999;
  const auto centered = x - mean, inverse = (-log_std).exp();
  const auto above = normal_cdf(inverse * (centered + 1.0 / 255));
  const auto below = normal_cdf(inverse * (centered - 1.0 / 255));
  const auto inside = (above - below).clamp_min(kLeast).log();
  return torch::where(x < -kEdge, above.clamp_min(kLeast).log(),
                      torch::where(x > kEdge, (1 - below).clamp_min(kLeast).log(), inside));
}

}  // namespace

GaussianProcess::GaussianProcess(const ProcessOptions& options)
    : GaussianProcess(options, all_steps(options.steps)) {}

GaussianProcess::GaussianProcess(const ProcessOptions& options, std::vector<int64_t> timesteps)
    : options_(options),
      schedule_(make_betas(options.betas, options.steps), std::move(timesteps)) {}

int64_t GaussianProcess::output_channels(int64_t channels) const {
  return options_.learn_sigma ? 2 * channels : channels;
}

double GaussianProcess::time_at(double u) const {
  return std::floor(u * static_cast<double>(options_.steps));
}

at::Tensor GaussianProcess::add_noise(const at::Tensor& x0, const at::Tensor& noise,
                                      const at::Tensor& steps) const {
  return schedule_.at(NoiseSchedule::kSqrtAbar, steps) * x0 +
         schedule_.at(NoiseSchedule::kSqrtOneMinusAbar, steps) * noise;
}

at::Tensor GaussianProcess::target(const at::Tensor& x0, const at::Tensor& noise,
                                   const at::Tensor& steps) const {
  switch (options_.prediction) {
    case PredictionKind::epsilon:
      return noise;
    case PredictionKind::x0:
      return x0;
    case PredictionKind::v:
      break;
  }
  return schedule_.at(NoiseSchedule::kSqrtAbar, steps) * noise -
         schedule_.at(NoiseSchedule::kSqrtOneMinusAbar, steps) * x0;
}

at::Tensor GaussianProcess::predict_x0(const at::Tensor& output, const at::Tensor& x,
                                       const at::Tensor& steps, bool clip) const {
  const auto signal = schedule_.at(NoiseSchedule::kSqrtAbar, steps);
  const auto noise = schedule_.at(NoiseSchedule::kSqrtOneMinusAbar, steps);
  auto x0 = output;
  if (options_.prediction == PredictionKind::epsilon) x0 = (x - noise * output) / signal;
  if (options_.prediction == PredictionKind::v) x0 = signal * x - noise * output;
  return clip ? x0.clamp(-1, 1) : x0;
}

Prediction GaussianProcess::predict(const at::Tensor& output, const at::Tensor& x,
                                    const at::Tensor& steps, bool clip) const {
  const int64_t channels = x.size(1);
  WF_CHECK(output.size(1) == output_channels(channels), "the network has ", output.size(1),
           " output channels, and the process needs ", output_channels(channels));
  Prediction out;
  if (options_.learn_sigma) {
    // The network predicts the position of the logarithm in its range, from -1 to 1.
    const auto fraction = (output.narrow(1, channels, channels) + 1) / 2;
    out.log_variance = fraction * schedule_.at(NoiseSchedule::kLogBeta, steps) +
                       (1 - fraction) * schedule_.at(NoiseSchedule::kPosteriorLog, steps);
  } else {
    out.log_variance = schedule_.at(NoiseSchedule::kFixedLog, steps);
  }
  out.x0 = predict_x0(output.narrow(1, 0, channels), x, steps, clip);
  out.mean = schedule_.at(NoiseSchedule::kPosteriorX0, steps) * out.x0 +
             schedule_.at(NoiseSchedule::kPosteriorX, steps) * x;
  return out;
}

// Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy".
at::Tensor GaussianProcess::snr_weight(const at::Tensor& steps) const {
  const auto abar = schedule_.at(NoiseSchedule::kAbar, steps).flatten();
  const auto snr = abar / (1 - abar), clipped = snr.clamp_max(options_.min_snr_gamma);
  switch (options_.prediction) {
    case PredictionKind::epsilon:
      return clipped / snr;
    case PredictionKind::v:
      return clipped / (snr + 1);
    case PredictionKind::x0:
      break;
  }
  return clipped;
}

// The term of the variational bound at `steps`, in bits per value.
at::Tensor GaussianProcess::bound(const at::Tensor& output, const at::Tensor& x0,
                                  const at::Tensor& x, const at::Tensor& steps) const {
  const auto mean = schedule_.at(NoiseSchedule::kPosteriorX0, steps) * x0 +
                    schedule_.at(NoiseSchedule::kPosteriorX, steps) * x;
  const auto predicted = predict(output, x, steps, /*clip=*/false);
  const auto kl = normal_kl(mean, schedule_.at(NoiseSchedule::kPosteriorLog, steps), predicted.mean,
                            predicted.log_variance);
  const auto first = -discretized_log_likelihood(x0, predicted.mean, 0.5 * predicted.log_variance);
  return torch::where(steps.eq(0), mean_flat(first), mean_flat(kl)) / std::log(2.0);
}

DiffusionLoss GaussianProcess::loss(const Denoiser& denoise, const at::Tensor& x0,
                                    const at::Tensor& noise, const at::Tensor& t,
                                    const at::Tensor& labels) const {
  const auto steps = t.to(torch::kLong);
  const auto x = add_noise(x0, noise, steps);
  const auto output = denoise(x, t, labels);
  const int64_t channels = x0.size(1);
  const auto predicted = output.narrow(1, 0, channels);
  DiffusionLoss out;
  out.mse = mean_flat((target(x0, noise, steps) - predicted).square());
  if (options_.min_snr_gamma > 0) out.mse = out.mse * snr_weight(steps);
  out.total = out.mse;
  if (options_.learn_sigma) {
    // The bound trains only the variance.
    const auto frozen = torch::cat({predicted.detach(), output.narrow(1, channels, channels)}, 1);
    out.bound = bound(frozen, x0, x, steps);
    out.total = out.mse + out.bound;
  }
  return out;
}

}  // namespace wf
