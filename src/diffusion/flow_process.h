#pragma once

#include "diffusion/process.h"

namespace wf {

/// Flow matching (Lipman et al. 2023) on the linear path x = (1 - t) data + t noise, t in [0, 1];
/// the network predicts the velocity noise - data and gets the time 1000 t. The orientation is that
/// of REPA and Stable Diffusion 3; SiT's t is reversed.
class FlowProcess : public DiffusionProcess {
 public:
  static constexpr double kModelTime = 1000;  ///< the network's time at t = 1

  int64_t output_channels(int64_t channels) const override { return channels; }
  double time_at(double u) const override { return u; }
  DiffusionLoss loss(const Denoiser& denoise, const at::Tensor& x0, const at::Tensor& noise,
                     const at::Tensor& t, const at::Tensor& labels) const override;
};

}  // namespace wf
