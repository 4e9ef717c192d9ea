#include "dist/straggler.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

// The answer after `steps` equal steps.
std::optional<Straggler> after(int steps, const std::vector<double>& seconds) {
  StragglerWatch watch;
  for (int step = 0; step < steps; ++step) watch.add(seconds);
  return watch.take();
}

TEST(StragglerWatch, FindsTheRankThatIsMuchSlowerThanTheMedian) {
  StragglerWatch watch;
  for (int step = 0; step < 10; ++step) {
    watch.add({0.1, 0.11, 0.8, 0.1});
    watch.add({0.1, 0.09, 0.4, 0.1});
  }
  const auto found = watch.take();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rank, 2);
  EXPECT_NEAR(found->seconds, 0.6, 1e-12);
  EXPECT_NEAR(found->median, 0.1, 1e-12);
  EXPECT_FALSE(watch.take()) << "the steps before are forgotten";
}

TEST(StragglerWatch, IgnoresSmallDifferencesAndShortTimes) {
  EXPECT_FALSE(after(1000, {0.1, 0.12})) << "20 % more";
  EXPECT_FALSE(after(10'000, {0.001, 0.003})) << "two milliseconds";
  EXPECT_TRUE(after(100, {0.1, 0.2})) << "of two ranks, one twice as slow";
  EXPECT_FALSE(after(10, {0.03, 0.09})) << "less than a second: a busy machine does that";
  EXPECT_FALSE(after(100, {0.1})) << "a single rank";
}

}  // namespace
}  // namespace wf::testing
