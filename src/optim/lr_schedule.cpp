#include "weightformer/optim/lr_schedule.h"

#include "weightformer/core/check.h"

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

// The warm-up replaces the beginning of the curve; it does not delay it.
double cosine(const LrScheduleOptions& options, int64_t step) {
  if (options.total_steps == 0) return options.min_lr;
  const double angle = M_PI * static_cast<double>(step) / options.total_steps;
  return options.min_lr + 0.5 * (options.base_lr - options.min_lr) * (1 + std::cos(angle));
}

double linear(const LrScheduleOptions& options, int64_t step) {
  const double base = options.base_lr;
  const int64_t span = options.total_steps - options.warmup_steps;
  if (span <= 0) return base * 0.01;
  return base - base * 0.99 * (static_cast<double>(step - options.warmup_steps) / span);
}

double stepwise(const LrScheduleOptions& options, int64_t step) {
  WF_CHECK(options.decay_steps > 0, "schedule step: the decay interval must be at least one step");
  return options.base_lr *
         std::pow(options.decay_rate, static_cast<double>(step / options.decay_steps));
}

}  // namespace

double learning_rate(const LrScheduleOptions& options, int64_t k) {
  k = std::max<int64_t>(k, 0);
  if (k < options.warmup_steps) {
    return options.warmup_lr +
           static_cast<double>(k) * ((options.base_lr - options.warmup_lr) / options.warmup_steps);
  }
  const int64_t in_horizon = std::min(k, options.total_steps);
  switch (options.kind) {
    case LrScheduleKind::cosine:
      return cosine(options, in_horizon);
    case LrScheduleKind::linear:
      return linear(options, in_horizon);
    case LrScheduleKind::step:
      return stepwise(options, k);
    case LrScheduleKind::constant:
      return options.base_lr;
  }
  throw Error("unknown learning-rate schedule");
}

}  // namespace wf
