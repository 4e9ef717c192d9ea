#include "engine/dry_run.h"

#include "runtime/stop_signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace wf {

void FirstStep::on_start(const TrainState&) {
  before_ = ranks_->traffic();
  watch_.restart();
}

void FirstStep::on_step(const TrainState&, const StepReport& report) {
  if (measured()) return;
  report_ = report;
  seconds_ = watch_.seconds();
  traffic_ = ranks_->traffic() - before_;
  request_stop();
}

std::string rate_table(const LrScheduleOptions& schedule) {
  constexpr int64_t kLines = 10;
  constexpr double kWidth = 40;
  const int64_t total = std::max<int64_t>(1, schedule.total_steps);
  std::set<int64_t> steps{1, std::min(total, schedule.warmup_steps + 1), total};
  for (int64_t i = 1; i < kLines; ++i) steps.insert(1 + i * (total - 1) / kLines);
  // The rate that is set after step k, counted from 0, is that of the step with the number k + 2.
  const auto rate = [&](int64_t step) { return learning_rate(schedule, step - 2); };
  double highest = 0;
  for (const auto step : steps) highest = std::max(highest, rate(step));
  std::string out;
  for (const auto step : steps) {
    const double share = highest > 0 ? rate(step) / highest : 0;
    out += fmt::format("{:>12}  {:<10.4g} |{}\n", step, rate(step),
                       std::string(static_cast<size_t>(std::lround(kWidth * share)), '#'));
  }
  return out;
}

std::string show(const Traffic& traffic) {
  std::string out;
  for (const auto& [name, sum] : traffic) {
    out += fmt::format("{}{} {:.2f} MiB in {} call{}", out.empty() ? "" : "; ", name,
                       static_cast<double>(sum.bytes) / (1 << 20), sum.calls,
                       sum.calls == 1 ? "" : "s");
  }
  return out.empty() ? "nothing" : out;
}

}  // namespace wf
