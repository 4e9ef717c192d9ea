#include "data/augment/random_erasing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace wf::testing {
namespace {

using Fill = ErasingFill;

constexpr int kErasedHeight = 64, kErasedWidth = 48;

std::vector<ErasedPart> draw(const RandomErasingOptions& options, uint64_t key) {
  CounterRng rng{key};
  return random_erasing(kErasedHeight, kErasedWidth, options, rng);
}

TEST(RandomErasing, HasTimmsShareOfImagesAreaAndAspect) {
  constexpr int kDraws = 20000;
  int erased = 0;
  double area = 0, log_aspect = 0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const auto parts = draw({0.25, Fill::zero, 1}, i);
    ASSERT_LE(parts.size(), 1u);
    if (parts.empty()) continue;
    ++erased;
    const auto& box = parts[0].box;
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, kErasedHeight);
    ASSERT_LE(box.left + box.width, kErasedWidth);
    area += static_cast<double>(box.height) * box.width / (kErasedHeight * kErasedWidth);
    log_aspect += std::log(static_cast<double>(box.height) / box.width);
  }
  EXPECT_NEAR(erased, kDraws / 4, 5 * 61);
  // Wide boxes fit an upright image less often; the numbers are those of timm's code.
  EXPECT_NEAR(area / erased, 0.1723, 5 * 0.0013);
  EXPECT_NEAR(log_aspect / erased, 0.0372, 5 * 0.0095);
}

TEST(RandomErasing, TheFillIsZeroOneColorOrNoise) {
  const auto zero = draw({1, Fill::zero, 1}, 3), color = draw({1, Fill::color, 1}, 3);
  const auto pixel = draw({1, Fill::pixel, 1}, 3);
  EXPECT_EQ(zero[0].values, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(color[0].values.size(), 3u);
  EXPECT_NE(color[0].values[0], color[0].values[1]);
  const auto& values = pixel[0].values;
  ASSERT_EQ(values.size(), 3u * pixel[0].box.height * pixel[0].box.width);
  EXPECT_EQ(pixel[0].box.height, color[0].box.height) << "the fill does not move the box";
}

TEST(RandomErasing, TheNoiseIsStandardNormal) {
  double count = 0, sum = 0, squares = 0, fourth = 0, neighbours = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    const auto parts = draw({1, Fill::pixel, 1}, i);
    const auto& values = parts[0].values;
    for (size_t k = 0; k < values.size(); ++k) {
      const double v = values[k];
      ASSERT_TRUE(std::isfinite(v));
      sum += v;
      squares += v * v;
      fourth += v * v * v * v;
      if (k) neighbours += v * values[k - 1];
      ++count;
    }
  }
  const double error = 5 / std::sqrt(count);
  EXPECT_NEAR(sum / count, 0, error);
  EXPECT_NEAR(squares / count, 1, error * std::sqrt(2));
  EXPECT_NEAR(fourth / count, 3, error * std::sqrt(96));
  EXPECT_NEAR(neighbours / count, 0, error);
}

TEST(RandomErasing, ManyPartsShareTheArea) {
  std::vector<int> counts(5, 0);
  double area = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const auto parts = draw({1, Fill::zero, 4}, i);
    ++counts.at(parts.size());
    for (const auto& part : parts) area += static_cast<double>(part.box.height) * part.box.width;
  }
  EXPECT_EQ(counts[0], 0);
  for (int parts = 1; parts <= 4; ++parts) EXPECT_NEAR(counts[parts], 1000, 5 * 27.4);
  EXPECT_NEAR(area / 4000 / (kErasedHeight * kErasedWidth), (0.02 + 1.0 / 3) / 2, 0.01);
}

TEST(RandomErasing, TheKeyDecidesAndZeroProbabilityDrawsNothing) {
  EXPECT_EQ(draw({1, Fill::pixel, 3}, 8)[0].values, draw({1, Fill::pixel, 3}, 8)[0].values);
  CounterRng used{4}, fresh{4};
  EXPECT_TRUE(random_erasing(9, 9, {}, used).empty());
  EXPECT_EQ(used.next(), fresh.next());
}

}  // namespace
}  // namespace wf::testing
