#pragma once

#include <cstdint>
#include <string>

namespace wf {

struct LrScheduleOptions {
  std::string name = "cosine";  ///< cosine, linear or step
  double base_lr = 5e-4;
  double warmup_lr = 5e-7;
  double min_lr = 5e-6;  ///< where cosine ends; linear ends at base_lr / 100, step has no end
  int64_t total_steps = 0;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;  ///< step: between two decays
  double decay_rate = 0.1;  ///< step: factor of each decay
};

/// The learning rate set after optimizer step `k` (from 0, over the whole run); k = -1 gives the
/// one that the first step runs at. Warm-up is linear and does not shorten the schedule.
/// Source: the schedules of timm and Swin in their per-update form, as the published trainer uses.
double learning_rate(const LrScheduleOptions& options, int64_t k);

}  // namespace wf
