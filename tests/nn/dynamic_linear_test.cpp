#include "weightformer/nn/dynamic_linear.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"
#include "support/op_check.h"

#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

namespace wf::testing {
namespace {

constexpr int64_t kIn = 8, kOut = 16;
constexpr Grid kGrid{3, 4};

DynamicLinear filled_layer(const std::string& predictor) {
  DynamicLinear layer(DynamicLinearOptions(kIn, kOut).predictor(predictor));
  layer->to(torch::kDouble);
  fill_parameters(*layer);
  return layer;
}

at::Tensor tokens_of(const std::string& name, int64_t batch = 2) {
  return filled("input." + name, {batch, kGrid.height * kGrid.width, kIn}).to(torch::kDouble);
}

at::Tensor pooled(const at::Tensor& x) {
  const auto image = x.transpose(1, 2).unflatten(2, {kGrid.height, kGrid.width});
  return torch::nn::functional::avg_pool2d(image, torch::nn::functional::AvgPool2dFuncOptions(2))
      .flatten(2)
      .transpose(1, 2);
}

// The factors by the formulas of the header.
WeightFactors expected_factors(const DynamicLinearImpl& l, const std::string& predictor,
                               const at::Tensor& x) {
  const bool gap = predictor == "gap";
  const auto hidden =
      torch::matmul(gap ? x.mean(1, true) : pooled(x), l.wfm->weight.t()) + l.wfm->bias;
  auto left = hidden.narrow(-1, 0, kIn / 4), right = hidden.narrow(-1, kIn / 4, kOut / 4);
  if (predictor != "linear") right = torch::silu(right);
  if (predictor != "linear" && predictor != "nonlinear") left = torch::silu(left);
  if (predictor == "deep") {
    left = torch::silu(torch::matmul(left, l.m1));
    right = torch::silu(torch::matmul(right, l.m2));
  }
  if (gap) left = left * static_cast<double>(x.size(1)) / 4;
  return {torch::matmul(left, l.w1), torch::matmul(right, l.w2)};
}

class EveryLinearPredictor : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryLinearPredictor, TheLayerMultipliesByTheWeightOfItsFormula) {
  auto layer = filled_layer(GetParam());
  const auto x = tokens_of("x");
  auto weight = layer->w.unsqueeze(0);
  if (GetParam() != "static") {
    const auto [left, right] = expected_factors(*layer, GetParam(), x);
    const auto p = torch::matmul(left.transpose(1, 2), right) /
                   (std::sqrt(1.0 * kIn) * static_cast<double>(x.size(1)));
    weight = p / (p.norm(2, 1, true) + 1) + weight;
    EXPECT_GT((weight - layer->w).norm().item<double>(), 1e-3) << "the prediction is visible";
  }
  const auto y = layer->forward(x, kGrid);
  ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 12, kOut}));
  expect_close(y, torch::matmul(x, weight) + layer->b, 1e-12, "y");
}

TEST_P(EveryLinearPredictor, GradientsAgreeWithFiniteDifferences) {
  auto layer = filled_layer(GetParam());
  auto& l = *layer;
  std::vector<at::Tensor*> places{&l.w, &l.b, &l.w1, &l.w2, &l.m1, &l.m2};
  if (l.wfm) places.insert(places.end(), {&l.wfm->weight, &l.wfm->bias});
  Tensors inputs{tokens_of("x")};
  std::vector<at::Tensor*> used;
  for (auto* place : places) {
    if (!place->defined()) continue;
    used.push_back(place);
    inputs.push_back(place->detach().clone());
  }
  ASSERT_EQ(used.size(), l.parameters().size());
  expect_gradcheck(
      [&](const Tensors& t) {
        for (size_t i = 0; i < used.size(); ++i) *used[i] = t[i + 1];
        return l.forward(t[0], kGrid);
      },
      inputs);
}

TEST_P(EveryLinearPredictor, ACopyHasTheSameParametersAndComputesTheSame) {
  const auto layer = filled_layer(GetParam());
  const auto copy = std::dynamic_pointer_cast<DynamicLinearImpl>(layer->clone());
  const auto x = tokens_of("x");
  EXPECT_TRUE(torch::equal(copy->forward(x, kGrid), layer.ptr()->forward(x, kGrid)));
}

INSTANTIATE_TEST_SUITE_P(Names, EveryLinearPredictor, ::testing::ValuesIn(linear_predictors()),
                         [](const auto& info) { return info.param; });

TEST(LinearPredictors, GapPredictsAWeightOfRankOne) {
  const auto factors = filled_layer("gap")->predict(tokens_of("x", 1), kGrid);
  const auto p = torch::matmul(factors->left[0].t(), factors->right[0]);
  EXPECT_EQ(torch::linalg_matrix_rank(p, 1e-10).item<int64_t>(), 1);
  const auto of_all = filled_layer("bilateral")->predict(tokens_of("x", 1), kGrid);
  EXPECT_EQ(torch::linalg_matrix_rank(torch::matmul(of_all->left[0].t(), of_all->right[0]), 1e-10)
                .item<int64_t>(),
            2)
      << "two pooled tokens";
}

TEST(LinearPredictors, OnlyTheLinearOneIsHomogeneousInItsTokens) {
  for (const auto& name : linear_predictors()) {
    if (name == "static") continue;
    auto layer = filled_layer(name);
    const torch::NoGradGuard no_grad;
    layer->wfm->bias.zero_();
    const auto x = tokens_of("x");
    const auto once = layer->predict(x, kGrid), twice = layer->predict(2 * x, kGrid);
    const bool left = torch::allclose(twice->left, 2 * once->left);
    const bool right = torch::allclose(twice->right, 2 * once->right);
    EXPECT_EQ(left, name == "linear" || name == "nonlinear") << name;
    EXPECT_EQ(right, name == "linear") << name;
  }
}

TEST(LinearPredictors, OneTokenMovesAllOthersUnlessStatic) {
  for (const auto& name : linear_predictors()) {
    auto layer = filled_layer(name);
    auto x = tokens_of("x", 1), moved = x.clone();
    moved[0][0] += 1;
    const auto change = (layer->forward(moved, kGrid) - layer->forward(x, kGrid)).abs().sum(-1)[0];
    EXPECT_GT(change[0].item<double>(), 0) << name;
    EXPECT_EQ((change.narrow(0, 1, 11) > 0).all().item<bool>(), name != "static") << name;
  }
}

TEST(LinearPredictors, AnUnknownNameListsTheKnownOnes) {
  EXPECT_EQ(error_of([] { DynamicLinear(DynamicLinearOptions(8, 16).predictor("bilatral")); }),
            "unknown linear predictor 'bilatral', did you mean 'bilateral'? known: static, gap, "
            "linear, nonlinear, deep, bilateral");
}

}  // namespace
}  // namespace wf::testing
