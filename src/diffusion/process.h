// The forward process of a diffusion model and the loss that trains a network to reverse it.
#pragma once

#include "weightformer/config/diffusion_enums.h"

#include "diffusion/denoiser.h"

#include <memory>

namespace wf {

struct ProcessOptions {
  ProcessKind kind = ProcessKind::gaussian;
  // Of a gaussian process:
  BetaKind betas = BetaKind::linear;
  int64_t steps = 1000;
  PredictionKind prediction = PredictionKind::epsilon;
  bool learn_sigma = true;   ///< the network also predicts the variance
  double min_snr_gamma = 0;  ///< weight of the loss (Hang et al. 2023); 0: none
};

/// Losses of a batch, each [B] float32 with a gradient.
struct DiffusionLoss {
  at::Tensor total;  ///< what is minimized
  at::Tensor mse;    ///< only the mean squared error, weighted
  at::Tensor bound;  ///< the variational bound in bits per value; undefined without learn_sigma
};

class DiffusionProcess {
 public:
  virtual ~DiffusionProcess() = default;

  /// Channels of the network's output for data of `channels`: twice as many with learn_sigma.
  virtual int64_t output_channels(int64_t channels) const = 0;

  /// The time at fraction `u` in [0, 1) of the process: a step floor(u * steps), or u itself for a
  /// flow.
  virtual double time_at(double u) const = 0;

  /// x0, noise: [B, C, H, W] float32; t: [B] float32, values of time_at().
  virtual DiffusionLoss loss(const Denoiser& denoise, const at::Tensor& x0, const at::Tensor& noise,
                             const at::Tensor& t, const at::Tensor& labels) const = 0;
};

std::unique_ptr<DiffusionProcess> make_process(const ProcessOptions& options);

/// The network's time where the data is pure noise: the number of steps of a gaussian process,
/// 1000 for a flow.
double noise_time(const ProcessOptions& options);

}  // namespace wf
