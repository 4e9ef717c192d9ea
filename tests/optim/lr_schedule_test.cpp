#include "weightformer/optim/lr_schedule.h"

#include "support/golden.h"

#include <gtest/gtest.h>

#include <fstream>

namespace wf::testing {
namespace {

TEST(LrSchedule, EveryGoldenRateIsReached) {
  const auto file = nlohmann::json::parse(std::ifstream(golden_path("schedules.json")));
  int compared = 0;
  for (const auto& c : file["cases"]) {
    const int64_t steps = c["steps_per_epoch"];
    LrScheduleOptions options;
    const std::string name = c["name"];
    for (const auto& [known, kind] : enum_names(LrScheduleKind{})) {
      if (name == known) options.kind = kind;
    }
    ASSERT_EQ(name_of(options.kind), name);
    options.base_lr = c["base_lr"];
    options.warmup_lr = c["warmup_lr"];
    options.min_lr = c["min_lr"];
    options.total_steps = c["epochs"].get<int64_t>() * steps;
    options.warmup_steps = c["warmup_epochs"].get<int64_t>() * steps;
    options.decay_steps = c["decay_epochs"].get<int64_t>() * steps;
    options.decay_rate = c["decay_rate"];
    for (const auto& point : c["lr_at_step"]) {
      const double expected = point[1];
      EXPECT_NEAR(learning_rate(options, point[0]), expected, 1e-12 * expected)
          << c["name"] << " after step " << point[0];
      ++compared;
    }
  }
  EXPECT_EQ(compared, 108);
}

TEST(LrSchedule, ConstantStaysAtTheBaseRateAfterTheWarmUp) {
  LrScheduleOptions options;
  options.kind = LrScheduleKind::constant;
  options.base_lr = 1e-4;
  options.warmup_lr = 2e-5;
  options.warmup_steps = 4;
  options.total_steps = 10;
  EXPECT_DOUBLE_EQ(learning_rate(options, -1), 2e-5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 2), 6e-5);
  for (const int64_t step : {4, 5, 10, 1000}) EXPECT_EQ(learning_rate(options, step), 1e-4) << step;
  options.warmup_steps = 0;
  EXPECT_EQ(learning_rate(options, -1), 1e-4);
}

TEST(LrSchedule, CoolDownKeepsTheLastRate) {
  LrScheduleOptions options;
  options.total_steps = 10;
  EXPECT_DOUBLE_EQ(learning_rate(options, 25), options.min_lr);
}

}  // namespace
}  // namespace wf::testing
