#pragma once

#include "weightformer/config/enums.h"

#include <cstdint>

namespace wf {

struct LrScheduleOptions {
  LrScheduleKind kind = LrScheduleKind::cosine;
  double base_lr = 5e-4;
  double warmup_lr = 5e-7;
  double min_lr = 5e-6;  ///< cosine: the last rate; linear ends at base_lr / 100
  int64_t total_steps = 0;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;  ///< step: between two decays
  double decay_rate = 0.1;  ///< step: factor of each decay
};

/// The learning rate set after optimizer step `k`, counted from 0 over all epochs; k = -1 gives the
/// rate of the first step. Warm-up is linear, and the schedule's horizon includes it (timm's
/// warmup_prefix=False). After total_steps the last rate stays.
/// Source: the schedules of timm and Swin in their per-update form, as in the reference
/// implementation.
double learning_rate(const LrScheduleOptions& options, int64_t k);

}  // namespace wf
