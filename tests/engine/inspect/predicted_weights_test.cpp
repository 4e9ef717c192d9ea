#include "engine/inspect/predicted_weights.h"

#include "weightformer/nn/block.h"

#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <memory>

namespace wf::testing {
namespace {

WeightFormer filled_nano(const ClassifierOptions& options) {
  WeightFormer model(options);
  fill_parameters(*model);
  model->eval();
  return model;
}

// Replaces what the first dynamic block predicts by what was reported; the model must not notice.
TEST(PredictedWeights, ReplacingThePredictionsByTheReportedOnesChangesNothing) {
  const auto options = classifier_options("wfm_nano").depth(2);
  auto model = filled_nano(options);
  auto frozen =
      filled_nano(ClassifierOptions(options).linear_predictor("static").conv_predictor("static"));
  const auto x = filled("input.x", {1, 3, 64, 40});
  const auto found = predicted_weights(*model, x);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].block, 1);
  const torch::NoGradGuard no_grad;
  auto& block = *std::dynamic_pointer_cast<BlockImpl>(frozen->blocks->ptr(1));
  auto& conv = *block.mixers.dynamic_dwc();
  conv.w.add_(found[0].kernels.unsqueeze(1));
  const auto mixed = frozen->tokens(x).first;  // the linear layer is still another
  EXPECT_GT(relative_error(mixed, model->tokens(x).first), 1e-3);
  // Of the linear layer singular values and gains are reported: P diag(g) = U diag(s) Vᵀ.
  EXPECT_EQ(found[0].column_gains.sizes(), at::IntArrayRef({128}));
  EXPECT_EQ(found[0].singular_values.sizes(), at::IntArrayRef({32}));
  auto& linear =
      *std::dynamic_pointer_cast<BlockImpl>(model->blocks->ptr(1))->mixers.dynamic_linear1();
  const auto before = block.norm2->forward(block.mixers.convolve(
      block.norm1->forward(
          std::dynamic_pointer_cast<BlockImpl>(model->blocks->ptr(0))
              ->forward(model->init_norm->forward(model->patch_embed->forward(x).first),
                        Grid{8, 5})),
      Grid{8, 5}, {std::nullopt, std::nullopt, std::nullopt, /*residual=*/true}));
  // The layer maps the unit vectors to the rows of its weight, if it predicts from `before`.
  const auto factors = linear.predict(before, Grid{8, 5});
  const auto p = torch::matmul(factors->left[0].t(), factors->right[0]) / (std::sqrt(32.0) * 40);
  const auto added = p / (p.norm(2, 0) + 1);
  expect_close(found[0].singular_values.norm().view({1}), added.norm().view({1}), 1e-5, "norm");
  block.mixers.dynamic_linear1()->w.add_(added);
  expect_close(frozen->tokens(x).first, model->tokens(x).first, 1e-5, "tokens");
  expect_close(found[0].column_gains, 1 / (1 + p.norm(2, 0)), 1e-5, "gains");
}

TEST(PredictedWeights, AreThoseOfEveryDynamicBlockAndNothingIfStatic) {
  const auto x = filled("input.x", {1, 3, 64, 64});
  const auto all = predicted_weights(*filled_nano(classifier_options("wfm_nano")), x);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].block, 4);
  for (const auto& each : all) {
    EXPECT_LT(each.kernels.norm(2, {1, 2}).max().item<double>(), 1);
    EXPECT_GT(each.effective_rank, 1);
    EXPECT_LE(each.effective_rank, each.rank_bound);
    EXPECT_EQ(each.rank_bound, 16) << "pooled tokens";
  }
  const auto none = predicted_weights(
      *filled_nano(
          classifier_options("wfm_nano").linear_predictor("static").conv_predictor("static")),
      x);
  EXPECT_FALSE(none[0].kernels.defined());
  EXPECT_FALSE(none[0].singular_values.defined());
  EXPECT_TRUE(none[0].static_kernels.defined());
}

TEST(PredictedWeights, OfAConstantImageHaveRankOneInside) {
  const auto gap = classifier_options("wfm_nano").linear_predictor("gap");
  const auto found = predicted_weights(*filled_nano(gap), filled("input.x", {1, 3, 64, 64}));
  EXPECT_NEAR(found[0].effective_rank, 1, 1e-4);
  EXPECT_EQ(found[0].rank_bound, 1);
}

TEST(EffectiveRank, IsTheNumberOfEqualSingularValues) {
  EXPECT_NEAR(effective_rank(torch::tensor({2.0, 2.0, 2.0, 0.0})), 3, 1e-12);
  EXPECT_NEAR(effective_rank(torch::tensor({5.0})), 1, 1e-12);
  EXPECT_EQ(effective_rank(torch::zeros({3})), 0);
  const double mixed = effective_rank(torch::tensor({1.0, 0.1}));
  EXPECT_GT(mixed, 1);
  EXPECT_LT(mixed, 2);
}

}  // namespace
}  // namespace wf::testing
