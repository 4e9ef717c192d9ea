#include "optim/posthoc_ema.h"

#include "weightformer/optim/ema.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

constexpr double kTracked[] = {0.05, 0.1};

TEST(PosthocEma, OfASnapshotsOwnWidthIsThatSnapshot) {
  std::vector<EmaProfile> snapshots;
  for (int64_t step = 100; step <= 1000; step += 100) {
    for (const double std : kTracked) {
      snapshots.push_back({static_cast<double>(step), EmaRule::power_exponent(std)});
    }
  }
  const auto fit = fit_profile(snapshots, snapshots.back());
  EXPECT_LT(fit.error, 1e-5);
  EXPECT_NEAR(fit.weights.back(), 1, 1e-4);
  for (size_t i = 0; i + 1 < fit.weights.size(); ++i) EXPECT_NEAR(fit.weights[i], 0, 1e-3);
}

TEST(PosthocEma, ReportsTheErrorOfItsProfile) {
  const auto error = [](int64_t every, double std) {
    std::vector<EmaProfile> snapshots;
    for (int64_t step = every; step <= 4000; step += every) {
      for (const double tracked : kTracked) {
        snapshots.push_back({static_cast<double>(step), EmaRule::power_exponent(tracked)});
      }
    }
    return fit_profile(snapshots, {4000, EmaRule::power_exponent(std)}).error;
  };
  EXPECT_LT(error(100, 0.075), 1e-3);
  EXPECT_LT(error(100, 0.2), 0.02);
  EXPECT_GT(error(4000, 0.2), 0.1);  // two snapshots
  EXPECT_GT(error(1000, 0.02), error(100, 0.02));
}

// The weights walk at random, and three EMAs follow them.
TEST(PosthocEma, EqualsTheEmaThatWasTracked) {
  torch::nn::Linear model(8, 8);
  auto generator = at::detail::createCPUGenerator(5);
  const torch::NoGradGuard no_grad;
  std::vector<Ema> tracked;
  for (const double std : kTracked) tracked.emplace_back(*model, EmaRule::power(std));
  for (const double std : {0.03, 0.075, 0.2}) tracked.emplace_back(*model, EmaRule::power(std));
  std::vector<EmaProfile> snapshots;
  std::vector<at::Tensor> weights;
  for (int64_t step = 1; step <= 2000; ++step) {
    model->weight.add_(torch::randn({8, 8}, generator), 0.02);
    for (auto& ema : tracked) ema.update(step);
    for (size_t i = 0; step % 50 == 0 && i < std::size(kTracked); ++i) {
      snapshots.push_back({static_cast<double>(step), EmaRule::power_exponent(kTracked[i])});
      weights.push_back(tracked[i].state().at("weight").clone());
    }
  }
  size_t at = std::size(kTracked);
  for (const double std : {0.03, 0.075, 0.2}) {
    const auto fit = fit_profile(snapshots, {2000, EmaRule::power_exponent(std)});
    auto sum = torch::zeros({8, 8}, torch::kDouble);
    for (size_t i = 0; i < weights.size(); ++i)
      sum.add_(weights[i].to(torch::kDouble), fit.weights[i]);
    const auto expected = tracked[at++].state().at("weight").to(torch::kDouble);
    const double difference = (sum - expected).norm().item<double>();
    EXPECT_LT(difference, 2e-3 * (expected - model->weight).norm().item<double>()) << std;
  }
}

}  // namespace
}  // namespace wf::testing
