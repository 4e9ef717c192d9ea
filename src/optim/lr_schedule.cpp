#include "weightformer/optim/lr_schedule.h"

#include "weightformer/core/check.h"

#include <algorithm>
#include <cmath>

namespace wf {

double learning_rate(const LrScheduleOptions& options, int64_t k) {
  k = std::max<int64_t>(k, 0);
  const double base = options.base_lr;
  if (k < options.warmup_steps) {
    return options.warmup_lr +
           static_cast<double>(k) * ((base - options.warmup_lr) / options.warmup_steps);
  }
  // Past the end (cool-down epochs) the last value stays.
  const int64_t t = std::min(k, options.total_steps);
  if (options.name == "cosine") {
    // The warm-up hides the head of the curve, it does not delay it.
    if (options.total_steps == 0) return options.min_lr;
    const double angle = M_PI * static_cast<double>(t) / options.total_steps;
    return options.min_lr + 0.5 * (base - options.min_lr) * (1 + std::cos(angle));
  }
  if (options.name == "linear") {
    const int64_t span = options.total_steps - options.warmup_steps;
    if (span <= 0) return base * 0.01;
    return base - base * 0.99 * (static_cast<double>(t - options.warmup_steps) / span);
  }
  WF_CHECK(options.name == "step", "unknown schedule '", options.name,
           "', known: cosine, linear, step");
  WF_CHECK(options.decay_steps > 0, "schedule step: the decay interval must be at least one step");
  return base * std::pow(options.decay_rate, static_cast<double>(k / options.decay_steps));
}

}  // namespace wf
