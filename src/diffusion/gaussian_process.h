#pragma once

#include "diffusion/noise_schedule.h"
#include "diffusion/process.h"

namespace wf {

/// The prediction of the network at a step, each [B, C, H, W] float32.
struct Prediction {
  at::Tensor x0;            ///< the data
  at::Tensor mean;          ///< of the distribution of the step before
  at::Tensor log_variance;  ///< of that distribution; may broadcast
};

/// Denoising diffusion over discrete steps (Ho et al. 2020) with the learned variance of Nichol and
/// Dhariwal 2021, as in DiT's gaussian_diffusion.py.
class GaussianProcess : public DiffusionProcess {
 public:
  /// All steps of `options`.
  explicit GaussianProcess(const ProcessOptions& options);
  /// Only `timesteps` of them, for sampling.
  GaussianProcess(const ProcessOptions& options, std::vector<int64_t> timesteps);

  int64_t output_channels(int64_t channels) const override;
  double time_at(double u) const override;
  DiffusionLoss loss(const Denoiser& denoise, const at::Tensor& x0, const at::Tensor& noise,
                     const at::Tensor& t, const at::Tensor& labels) const override;

  const NoiseSchedule& schedule() const { return schedule_; }

  /// x0 with the noise of `steps`, [B] int64.
  at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise,
                       const at::Tensor& steps) const;

  /// The data that the network's output at x implies. Without the channels of the variance.
  at::Tensor predict_x0(const at::Tensor& output, const at::Tensor& x, const at::Tensor& steps,
                        bool clip) const;

  /// output: [B, C or 2C, H, W].
  Prediction predict(const at::Tensor& output, const at::Tensor& x, const at::Tensor& steps,
                     bool clip) const;

 private:
  at::Tensor target(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& steps) const;
  at::Tensor snr_weight(const at::Tensor& steps) const;
  at::Tensor bound(const at::Tensor& output, const at::Tensor& x0, const at::Tensor& x,
                   const at::Tensor& steps) const;

  ProcessOptions options_;
  NoiseSchedule schedule_;
};

}  // namespace wf
