#include "core/counter_noise.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

std::vector<CounterRng> keys(int64_t count) {
  std::vector<CounterRng> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(CounterRng{7, 3, static_cast<uint64_t>(i)});
  return out;
}

TEST(CounterNoise, IsWhatTheScalarGeneratorDraws) {
  const auto noise = counter_normal(keys(20), {4, 5, 6}, at::kCPU).flatten(1);
  ASSERT_EQ(noise.sizes(), (std::vector<int64_t>{20, 120}));
  int64_t differing = 0;
  for (int64_t i = 0; i < 20; ++i) {
    auto rng = keys(20)[i];
    for (int64_t e = 0; e < 120; ++e) {
      const auto scalar = static_cast<float>(rng.normal());
      const float value = noise[i][e].item<float>();
      ASSERT_NEAR(value, scalar, 1e-6) << i << ", " << e;
      differing += value != scalar;
    }
  }
  // Vectorized functions may round a double the other way, which float32 seldom shows.
  EXPECT_LE(differing, 2);
}

TEST(CounterNoise, OfASampleDoesNotDependOnTheBatch) {
  const auto all = counter_normal(keys(64), {3, 8, 8}, at::kCPU);
  for (const int64_t i : {0, 17, 63}) {
    EXPECT_TRUE(torch::equal(counter_normal({keys(64)[i]}, {3, 8, 8}, at::kCPU)[0], all[i]));
  }
}

TEST(CounterNoise, IsStandardNormal) {
  const auto noise = counter_normal(keys(100), {100, 100}, at::kCPU).to(at::kDouble);
  EXPECT_NEAR(noise.mean().item<double>(), 0, 0.005);
  EXPECT_NEAR(noise.std().item<double>(), 1, 0.005);
  EXPECT_NEAR(noise.pow(4).mean().item<double>(), 3, 0.05);
  EXPECT_TRUE(noise.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace wf::testing
