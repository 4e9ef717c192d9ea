#include "engine/dry_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <utility>

namespace wf::testing {
namespace {

TEST(RateTable, HasTheRatesOfTheScheduleWithBarsInProportion) {
  LrScheduleOptions schedule;
  schedule.base_lr = 1e-3;
  schedule.warmup_lr = 0;
  schedule.min_lr = 0;
  schedule.total_steps = 100;
  schedule.warmup_steps = 20;
  std::istringstream lines(rate_table(schedule));
  std::map<int64_t, std::pair<double, double>> rows;  // rate and length of the bar by step
  double highest = 0;
  int64_t step = 0, last = 0;
  std::string rate, bar;
  while (lines >> step >> rate >> bar) {
    EXPECT_GT(step, last);
    last = step;
    rows[step] = {std::stod(rate), static_cast<double>(bar.size()) - 1};
    highest = std::max(highest, rows[step].first);
  }
  EXPECT_EQ(rows.count(1) + rows.count(21) + rows.count(100), 3u) << "start, peak and end";
  EXPECT_GE(rows.size(), 10u);
  for (const auto& [at, row] : rows) {
    EXPECT_NEAR(row.first, learning_rate(schedule, at - 2), 1e-3 * row.first + 1e-12);
    EXPECT_NEAR(row.second, 40 * row.first / highest, 0.6);
  }
}

TEST(StepTraffic, IsShownByCollective) {
  EXPECT_EQ(show(Traffic{}), "nothing");
  EXPECT_EQ(show(Traffic{{"all-reduce", {3, 1 << 20}}, {"broadcast", {1, 1 << 19}}}),
            "all-reduce 1.00 MiB in 3 calls; broadcast 0.50 MiB in 1 call");
}

}  // namespace
}  // namespace wf::testing
