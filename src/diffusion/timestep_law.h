// The distribution of the training times.
#pragma once

#include "weightformer/config/diffusion_enums.h"
#include "weightformer/core/random.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace wf {

struct TimestepLawOptions {
  TimestepLawKind kind = TimestepLawKind::uniform;
  double mean = 0, std = 1;  ///< of the normal in logit_normal and lognormal
  double shift = 1;          ///< see shifted_time()
  int64_t steps = 1000;      ///< loss_aware: of the process
};

/// Moves times towards 1 for a shift above 1, towards 0 for one below, as the `shift` of diffusers'
/// FlowMatchEulerDiscreteScheduler does.
inline double shifted_time(double t, double shift) { return shift * t / (1 + (shift - 1) * t); }

struct TimestepDraw {
  double u;       ///< fraction of the process, in [0, 1)
  double weight;  ///< of the sample's loss, so that the expected loss is that of uniform times
};

class TimestepLaw {
 public:
  virtual ~TimestepLaw() = default;

  /// A function of `rng` and, for loss_aware, of the history.
  virtual TimestepDraw draw(CounterRng rng) const = 0;

  /// The fractions and unweighted losses of one step over all ranks, [N] float64 on the CPU, in the
  /// same order on every rank. Only loss_aware keeps them.
  virtual void update(const at::Tensor& u, const at::Tensor& losses) = 0;
  /// Whether update() does anything.
  virtual bool learns() const { return false; }

  /// The history of update(), for a checkpoint: [steps, 11] float64, the last ten losses of each
  /// step and their count. Shares memory: a resumed run writes into it. Undefined for a law without
  /// one.
  virtual at::Tensor history() const { return {}; }
};

std::unique_ptr<TimestepLaw> make_timestep_law(const TimestepLawOptions& options);

}  // namespace wf
