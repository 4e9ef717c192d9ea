#include "diffusion/timestep_law.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace wf::testing {
namespace {

TimestepLawOptions law(TimestepLawKind kind) {
  TimestepLawOptions out;
  out.kind = kind;
  return out;
}

CounterRng key(uint64_t i) { return CounterRng{3, i}; }

// The fraction of draws below each quarter.
std::vector<double> quarters(const TimestepLaw& law) {
  constexpr int kDraws = 20000;
  std::vector<double> below(3);
  for (int i = 0; i < kDraws; ++i) {
    const double u = law.draw(key(i)).u;
    EXPECT_GE(u, 0);
    EXPECT_LT(u, 1);
    for (int q = 0; q < 3; ++q) below[q] += (u < 0.25 * (q + 1)) / static_cast<double>(kDraws);
  }
  return below;
}

TEST(TimestepLaw, HasTheDistributionItIsNamedFor) {
  const auto uniform = quarters(*make_timestep_law(law(TimestepLawKind::uniform)));
  for (int q = 0; q < 3; ++q) EXPECT_NEAR(uniform[q], 0.25 * (q + 1), 0.01);
  // P(sigmoid(n) < 1/4) = P(n < -ln 3) = 0.136.
  for (const auto kind : {TimestepLawKind::logit_normal, TimestepLawKind::lognormal}) {
    const auto normal = quarters(*make_timestep_law(law(kind)));
    EXPECT_NEAR(normal[0], 0.136, 0.01);
    EXPECT_NEAR(normal[1], 0.5, 0.01);
    EXPECT_NEAR(normal[2], 0.864, 0.01);
  }
  auto shifted = law(TimestepLawKind::uniform);
  shifted.shift = 3;  // u < 1/2 where 3 u / (1 + 2 u) < 1/2, that is u < 1/4
  EXPECT_NEAR(quarters(*make_timestep_law(shifted))[1], 0.25, 0.01);
}

TEST(TimestepLaw, IsAFunctionOfItsKey) {
  const auto uniform = make_timestep_law({});
  EXPECT_EQ(uniform->draw(key(5)).u, uniform->draw(key(5)).u);
  EXPECT_NE(uniform->draw(key(5)).u, uniform->draw(key(6)).u);
}

TimestepLawOptions four_steps() {
  auto options = law(TimestepLawKind::loss_aware);
  options.steps = 4;
  return options;
}

// One loss for each of four steps, `times` times over.
void feed(TimestepLaw& law, const std::vector<double>& losses, int times) {
  const auto u = torch::tensor({0.125, 0.375, 0.625, 0.875}, torch::kDouble);
  for (int i = 0; i < times; ++i) law.update(u, torch::tensor(losses, torch::kDouble));
}

TEST(LossAwareLaw, IsUniformUntilEveryStepHasTenLosses) {
  const auto law = make_timestep_law(four_steps());
  feed(*law, {1, 2, 3, 4}, 9);
  for (int i = 0; i < 100; ++i) EXPECT_NEAR(law->draw(key(i)).weight, 1, 1e-12);
  feed(*law, {1, 2, 3, 4}, 1);
  bool differs = false;
  for (int i = 0; i < 100; ++i) differs = differs || std::abs(law->draw(key(i)).weight - 1) > 0.1;
  EXPECT_TRUE(differs);
}

TEST(LossAwareLaw, DrawsByTheSecondMomentAndWeighsAgainstIt) {
  const auto law = make_timestep_law(four_steps());
  feed(*law, {50, 50, 50, 50}, 3);  // forgotten
  feed(*law, {1, 2, 3, 4}, 10);
  for (int i = 0; i < 1000; ++i) {
    const auto draw = law->draw(key(i));
    const int step = static_cast<int>(draw.u * 4);
    const double probability = 0.999 * (step + 1) / 10 + 0.001 / 4;
    ASSERT_NEAR(draw.weight, 1 / (4 * probability), 1e-9) << step;
  }
  // Losses of one step that differ: the root of their mean square.
  const auto mixed = make_timestep_law(four_steps());
  feed(*mixed, {1, 1, 1, 3}, 5);
  feed(*mixed, {1, 1, 1, 5}, 5);
  const double last = std::sqrt(17.0);
  for (int i = 0; i < 1000; ++i) {
    const auto draw = mixed->draw(key(i));
    if (draw.u < 0.75) continue;
    ASSERT_NEAR(draw.weight, 1 / (4 * (0.999 * last / (3 + last) + 0.001 / 4)), 1e-9);
  }
}

TEST(LossAwareLaw, ContinuesFromASavedHistory) {
  const auto law = make_timestep_law(four_steps()), resumed = make_timestep_law(four_steps());
  feed(*law, {1, 2, 3, 4}, 12);
  resumed->draw(key(0));  // state derived from the empty history must be discarded
  at::Tensor(resumed->history()).copy_(law->history());
  feed(*law, {4, 3, 2, 1}, 3);
  feed(*resumed, {4, 3, 2, 1}, 3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(law->draw(key(i)).u, resumed->draw(key(i)).u);
    EXPECT_EQ(law->draw(key(i)).weight, resumed->draw(key(i)).weight);
  }
}

}  // namespace
}  // namespace wf::testing
