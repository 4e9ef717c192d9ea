#include "engine/build.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

Config two_batches_of_128() {
  Config config;
  config.data.batch_size = 128;
  config.train.accumulation_steps = 2;
  return config;
}

TEST(BuildSchedule, LinearScalingMultipliesTheRatesByTheTotalBatchOver512) {
  const auto schedule = build_schedule(two_batches_of_128(), /*batches_per_epoch=*/10, /*world=*/4);
  EXPECT_EQ(schedule.kind, LrScheduleKind::cosine);
  EXPECT_DOUBLE_EQ(schedule.base_lr, 2 * 5e-4);
  EXPECT_DOUBLE_EQ(schedule.warmup_lr, 2 * 5e-7);
  EXPECT_DOUBLE_EQ(schedule.min_lr, 2 * 5e-6);
  EXPECT_EQ(schedule.total_steps, 300 * 5);
}

TEST(BuildSchedule, WithoutScalingTheRatesAreUsedAsWritten) {
  auto config = two_batches_of_128();
  config.train.lr_scaling = LrScaling::none;
  config.train.lr_scheduler.name = LrScheduleKind::constant;
  config.train.base_lr = 1e-4;
  const auto schedule = build_schedule(config, /*batches_per_epoch=*/10, /*world=*/4);
  EXPECT_EQ(schedule.kind, LrScheduleKind::constant);
  EXPECT_EQ(schedule.base_lr, 1e-4);
  EXPECT_EQ(schedule.warmup_lr, 5e-7);
}

}  // namespace
}  // namespace wf::testing
