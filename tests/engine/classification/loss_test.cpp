#include "engine/classification/loss.h"

#include "weightformer/core/check.h"

#include "engine/classification/build.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

using Kind = LossKind;

const at::Tensor& logits() {
  static const auto x = torch::tensor({{1.5, -0.5, 0.25}, {-2.0, 0.75, 3.0}}, torch::kFloat);
  return x;
}
const at::Tensor& labels() {
  static const auto y = torch::tensor({2, 2}, torch::kLong);
  return y;
}
const at::Tensor& shares() {
  static const auto t = torch::tensor({{0.7, 0.2, 0.1}, {0.05, 0.9, 0.05}}, torch::kFloat);
  return t;
}

double loss(const at::Tensor& targets, const LossOptions& options) {
  return classification_loss(logits(), targets, options).item<double>();
}

// The numbers are PyTorch's for the formulas of timm's SoftTargetCrossEntropy,
// LabelSmoothingCrossEntropy and BinaryCrossEntropy.
TEST(Loss, CrossEntropyOfLabelsSmoothedLabelsAndSoftTargets) {
  EXPECT_NEAR(loss(labels(), {Kind::cross_entropy, 0, 0}), 0.854117751, 1e-6);
  EXPECT_NEAR(loss(labels(), {Kind::cross_entropy, 0.1, 0}), 0.966617763, 1e-6);
  EXPECT_NEAR(loss(shares(), {Kind::cross_entropy, 0, 0}), 1.629117727, 1e-6);
  EXPECT_EQ(loss(shares(), {Kind::cross_entropy, 0.1, 0}),
            loss(shares(), {Kind::cross_entropy, 0, 0}))
      << "shares are smoothed already";
}

TEST(Loss, BinaryCrossEntropyOfLabelsSoftTargetsAndThreshold) {
  EXPECT_NEAR(loss(labels(), {Kind::binary, 0.1, 0}), 0.714802742, 1e-6);
  EXPECT_NEAR(loss(shares(), {Kind::binary, 0.1, 0}), 0.935636044, 1e-6);
  EXPECT_NEAR(loss(shares(), {Kind::binary, 0, 0.15}), 0.927302659, 1e-6);
}

TEST(Loss, SoftTargetsOfOneClassEqualItsLabel) {
  const auto hot = torch::one_hot(labels(), 3).to(torch::kFloat);
  for (auto kind : {Kind::cross_entropy, Kind::binary}) {
    EXPECT_NEAR(loss(hot, {kind, 0, 0}), loss(labels(), {kind, 0, 0}), 1e-6);
  }
}

TEST(Loss, RefusesTargetsOfAnotherShape) {
  EXPECT_THROW(loss(torch::zeros({3}, torch::kLong), {}), Error);
  EXPECT_THROW(loss(torch::zeros({2, 4}), {}), Error);
}

TEST(Loss, TheConfigurationDecidesWhichAndWhetherTargetsAreMixed) {
  Config config;
  EXPECT_EQ(build_loss(config).kind, Kind::cross_entropy);
  EXPECT_EQ(build_loss(config).label_smoothing, 0.1);
  const auto mixup = build_mixup(config);
  ASSERT_TRUE(mixup.has_value());
  EXPECT_EQ(mixup->mixup_alpha, 0.8);
  EXPECT_EQ(mixup->cutmix_alpha, 1);
  EXPECT_EQ(mixup->label_smoothing, 0.1);
  EXPECT_EQ(mixup->num_classes, 1000);
  config.train.loss = LossKind::binary;
  config.train.bce_threshold = 0.2;
  EXPECT_EQ(build_loss(config).kind, Kind::binary);
  EXPECT_EQ(build_loss(config).threshold, 0.2);
  config.aug.mixup = config.aug.cutmix = 0;
  EXPECT_FALSE(build_mixup(config).has_value());
  config.aug.cutmix_minmax = Pair{0.2, 0.8};
  EXPECT_TRUE(build_mixup(config).has_value());
}

}  // namespace
}  // namespace wf::testing
