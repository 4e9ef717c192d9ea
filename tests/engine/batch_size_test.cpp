#include "engine/batch_size.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace wf::testing {
namespace {

// Bytes that are held anyway, and those of each sample.
struct Linear {
  double held, each;
  std::vector<int64_t> asked = {};
  int64_t find(int64_t total, double limit) {
    return largest_fitting(total, limit, [this](int64_t size) {
      asked.push_back(size);
      return held + each * static_cast<double>(size);
    });
  }
};

TEST(LargestFitting, IsTheLargestDivisorWithinTheLimit) {
  EXPECT_EQ((Linear{10, 1}.find(128, 74)), 64);
  EXPECT_EQ((Linear{10, 1}.find(128, 73)), 32);
  EXPECT_EQ((Linear{10, 1}.find(60, 31)), 20) << "of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60";
  EXPECT_EQ((Linear{10, 1}.find(127, 137)), 127) << "a prime number";
  EXPECT_EQ((Linear{10, 1}.find(127, 136)), 1);
  EXPECT_EQ((Linear{10, 1}.find(1, 11)), 1);
}

TEST(LargestFitting, IsZeroWhenNotEvenOneSampleFits) {
  EXPECT_EQ((Linear{10, 1}.find(128, 10)), 0);
}

TEST(LargestFitting, MeasuresNothingThatIsExpectedToExceedTheLimit) {
  Linear steps{0, 1};
  EXPECT_EQ(steps.find(1024, 300), 256);
  EXPECT_LE(*std::max_element(steps.asked.begin(), steps.asked.end()), 256);
}

TEST(LargestFitting, TakesTheTotalWithoutMeasuringItWhenItFitsEasily) {
  Linear steps{0, 1};
  EXPECT_EQ(steps.find(1024, 5000), 1024);
  EXPECT_LE(*std::max_element(steps.asked.begin(), steps.asked.end()), 8);
}

// What grows faster than expected is measured before it is taken.
TEST(LargestFitting, StaysBelowAMeasurementThatExceedsTheLimit) {
  const auto found = largest_fitting(
      64, 100, [](int64_t size) { return size <= 16 ? static_cast<double>(size) : 1000.0; });
  EXPECT_EQ(found, 16);
}

}  // namespace
}  // namespace wf::testing
