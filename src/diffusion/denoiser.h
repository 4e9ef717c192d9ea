// The network as seen by the diffusion process.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace wf {

/// x: [B, C, H, W] float32; t: [B] float32, in the network's unit (0 … 1000), which samplers leave
/// on the host, where looking at it does not wait for a GPU; labels: [B] int64 →
/// [B, C or 2C, H, W] float32. With 2C channels the second half predicts the variance.
using Denoiser =
    std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels)>;

/// The noise of step `step` (0: the first that a solver takes) of a batch that is being sampled,
/// [B, C, H, W] float32. Called only by solvers that draw, and not in their last step.
using StepNoise = std::function<at::Tensor(int64_t step)>;

}  // namespace wf
