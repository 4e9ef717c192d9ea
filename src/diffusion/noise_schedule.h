// The noise schedule of a gaussian process and the constants derived from it.
#pragma once

#include "weightformer/config/diffusion_enums.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace wf {

/// Variances of the noise that each of `steps` steps adds. linear: 1e-4 … 0.02 over 1000 steps (Ho
/// et al. 2020), scaled for others; cosine: the squared cosine of Nichol and Dhariwal 2021, at most
/// 0.999. As in DiT's gaussian_diffusion.py. Throws wf::Error for too few steps.
std::vector<double> make_betas(BetaKind kind, int64_t steps);

/// `count` of `steps` steps, evenly spaced, the first and the last among them: "N" in DiT's
/// respace.py, which rounds half to even. Throws wf::Error unless 1 <= count <= steps.
std::vector<int64_t> spaced_steps(int64_t steps, int64_t count);

/// Every (steps / count)-th step from 0: "ddimN" in DiT's respace.py. Throws wf::Error where the
/// stride is not an integer.
std::vector<int64_t> strided_steps(int64_t steps, int64_t count);

/// The constants of a process that has the steps `timesteps` of one with `betas` (respacing), [N]
/// float64 on the CPU. abar is the product of 1 - beta over the steps so far.
class NoiseSchedule {
 public:
  NoiseSchedule(const std::vector<double>& betas, std::vector<int64_t> timesteps);

  int64_t size() const { return static_cast<int64_t>(timesteps_.size()); }
  /// The step of the full process that step `i` corresponds to.
  int64_t timestep(int64_t i) const { return timesteps_[i]; }

  // Rows of at().
  enum Row {
    kBeta,
    kAbar,
    kAbarBefore,  // abar of the step before, 1 before the first
    kSqrtAbar,
    kSqrtOneMinusAbar,
    kPosteriorVariance,  // of q(x before | x, x0)
    kPosteriorLog,       // its logarithm; that of the second step in place of log 0
    kPosteriorX0,        // coefficients of the mean of q(x before | x, x0)
    kPosteriorX,
    kLogBeta,
    kFixedLog,  // log of the fixed variance: beta, and the posterior variance at the first step
    kRows
  };

  /// One constant at each of `steps`, [B] int64 indices → [B, 1, 1, 1] float32 on their device.
  at::Tensor at(Row row, const at::Tensor& steps) const;
  double at(Row row, int64_t step) const;

 private:
  std::vector<int64_t> timesteps_;
  at::Tensor table_;              // [kRows, N] float64
  mutable at::Tensor on_device_;  // the same as float32, on the device of the last at()
};

}  // namespace wf
