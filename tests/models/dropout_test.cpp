#include "nn/dropout.h"

#include "weightformer/core/check.h"
#include "weightformer/models/weightformer.h"

#include "support/fill.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/nn/init.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

constexpr uint64_t kSeed = 3;

// Its head is the identity: the logits are the features that the head receives.
WeightFormer model_of_features(double drop_rate) {
  WeightFormer model(
      ClassifierOptions().dim(32).depth(2).patch_size(8).num_classes(32).drop_rate(drop_rate));
  fill_parameters(*model);
  const torch::NoGradGuard no_grad;
  torch::nn::init::eye_(model->head->weight);
  torch::nn::init::zeros_(model->head->bias);
  return model;
}

TEST(ModelDropRate, DropsFeaturesBeforeTheHeadInTrainingOnly) {
  const auto x = filled("input.x", {4, 3, 64, 64});
  auto model = model_of_features(0.25);
  model->eval();
  const auto features = model->forward(x);
  EXPECT_TRUE(torch::equal(features, model_of_features(0)->forward(x)));

  model->train();
  model->set_generator(at::detail::createCPUGenerator(kSeed));
  const auto expected =
      dropout(features, features.sizes(), 0.25, at::detail::createCPUGenerator(kSeed));
  EXPECT_TRUE(torch::allclose(model->forward(x), expected, 1e-5, 1e-6));
  const auto dropped = expected.eq(0).to(torch::kFloat).mean().item<double>();
  EXPECT_NEAR(dropped, 0.25, 0.12);
}

TEST(ModelDropRate, OfZeroDrawsNothing) {
  auto model = model_of_features(0);
  model->train();
  const auto generator = at::detail::createCPUGenerator(kSeed);
  model->set_generator(generator);
  const auto before = generator.get_state();
  model->forward(filled("input.x", {2, 3, 64, 64}));
  EXPECT_TRUE(torch::equal(generator.get_state(), before));
}

TEST(ModelDropRate, OutsideItsRangeIsAnError) {
  EXPECT_THROW(WeightFormer(ClassifierOptions().drop_rate(1)), Error);
}

}  // namespace
}  // namespace wf::testing
