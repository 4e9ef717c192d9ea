#include "dist/straggler.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

TEST(StragglerWatch, NamesTheRankThatIsMuchSlowerThanTheMedian) {
  StragglerWatch watch;
  watch.add({0.1, 0.11, 0.4, 0.1});
  watch.add({0.1, 0.09, 0.2, 0.1});
  const auto found = watch.take();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rank, 2);
  EXPECT_DOUBLE_EQ(found->seconds, 0.3);
  EXPECT_DOUBLE_EQ(found->median, 0.1);
  EXPECT_FALSE(watch.take()) << "the steps before are forgotten";
}

TEST(StragglerWatch, IsSilentAboutSmallDifferences) {
  StragglerWatch watch;
  watch.add({0.1, 0.12});
  EXPECT_FALSE(watch.take()) << "20 % more";
  watch.add({0.001, 0.003});
  EXPECT_FALSE(watch.take()) << "two milliseconds";
  watch.add({0.1, 0.2});
  EXPECT_TRUE(watch.take()) << "of two ranks, one twice as slow";
  watch.add({0.1});
  EXPECT_FALSE(watch.take()) << "alone";
}

}  // namespace
}  // namespace wf::testing
