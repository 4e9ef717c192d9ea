// Draws samples by reversing a diffusion process.
#pragma once

#include "diffusion/process.h"

#include <memory>

namespace wf {

struct SolverOptions {
  SolverKind kind = SolverKind::ddpm;
  int64_t steps = 250;
  double eta = 0;           ///< ddim: 0 is deterministic, 1 is DDPM
  bool strided = true;      ///< ddim: every n-th step ("ddimN"); false: evenly spaced ones ("N")
  double shift = 1;         ///< of the times of a flow, see TimestepLawOptions
  bool clip = false;        ///< clamp predicted data to [-1, 1] (gaussian)
  double last_step = 0.04;  ///< sde: time at which the last step, to the mean, begins
};

class Solver {
 public:
  virtual ~Solver() = default;

  /// Calls of the denoiser per sample, for progress.
  virtual int64_t evaluations() const = 0;

  /// x: [B, C, H, W] standard normal noise; labels: [B] int64 → samples, [B, C, H, W] float32.
  /// Without gradients. `on_step` is called after each step with the number of steps done.
  virtual at::Tensor sample(const Denoiser& denoise, at::Tensor x, const at::Tensor& labels,
                            const StepNoise& noise,
                            const std::function<void(int64_t)>& on_step = {}) const = 0;
};

/// Throws wf::Error for a solver that does not belong to the process.
std::unique_ptr<Solver> make_solver(const ProcessOptions& process, const SolverOptions& options);

}  // namespace wf
