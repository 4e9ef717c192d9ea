#include "engine/inspect/effective_field.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

namespace wf::testing {
namespace {

WeightFormer network_with(const std::string& linear, const std::string& conv, int64_t depth = 2) {
  WeightFormer model(classifier_options("wfm_nano")
                         .depth(depth)
                         .patch_size(4)
                         .linear_predictor(linear)
                         .conv_predictor(conv));
  fill_parameters(*model);
  return model;
}

// The map with the pixels of `box` set to zero.
at::Tensor outside(const at::Tensor& map, const FieldBox& box) {
  auto out = map.clone();
  out.narrow(0, box.top, box.height).narrow(1, box.left, box.width).zero_();
  return out;
}

TEST(EffectiveField, OfAStaticNetworkIsZeroOutsideItsExactField) {
  // Odd and even grids, and one that the field exceeds; two blocks reach two tokens on each side.
  for (const auto& [height, width] : {std::pair{44, 64}, {60, 36}, {16, 80}}) {
    auto model = network_with("static", "static");
    const auto map = effective_field(*model, filled("input.x", {3, 3, height, width}));
    ASSERT_EQ(map.sizes(), at::IntArrayRef({height, width}));
    const auto box = static_field(*model, height, width);
    EXPECT_EQ(outside(map, box).abs().max().item<double>(), 0) << height << " x " << width;
    // It is the smallest such rectangle: the outer row and column of patches matter.
    const auto inside = map.narrow(0, box.top, box.height).narrow(1, box.left, box.width);
    for (const auto& edge : {inside.narrow(0, 0, 4), inside.narrow(0, box.height - 4, 4),
                             inside.narrow(1, 0, 4), inside.narrow(1, box.width - 4, 4)}) {
      EXPECT_GT(edge.max().item<double>(), 0) << height << " x " << width;
    }
  }
}

TEST(EffectiveField, TheExactFieldIsThatOfTheConvolutions) {
  auto model = network_with("static", "static");
  const auto odd = static_field(*model, 44, 64);  // 11 rows of tokens: the middle one and 2 more
  EXPECT_EQ(odd.top, (5 - 2) * 4);
  EXPECT_EQ(odd.height, 5 * 4);
  EXPECT_EQ(odd.left, (7 - 2) * 4);  // 16 columns: two in the middle
  EXPECT_EQ(odd.width, 6 * 4);
  EXPECT_EQ(static_field(*model, 16, 80).height, 16);
}

TEST(EffectiveField, OfEveryPredictedLayerCoversTheImage) {
  const auto x = filled("input.x", {2, 3, 48, 64});
  for (const auto& [linear, conv] : {std::pair{"gap", "static"},
                                     {"linear", "static"},
                                     {"nonlinear", "static"},
                                     {"deep", "static"},
                                     {"bilateral", "static"},
                                     {"static", "gap"},
                                     {"static", "adaptive"},
                                     {"static", "amp-dir"},
                                     {"static", "conv"},
                                     {"bilateral", "adaptive"}}) {
    auto model = network_with(linear, conv);
    const auto map = effective_field(*model, x);
    const auto beyond = outside(map, static_field(*model, 48, 64));
    EXPECT_GT((beyond > 0).sum().item<int64_t>(), 48 * 64 / 3) << linear << " " << conv;
  }
}

// The same by finite differences of the model.
TEST(EffectiveField, IsThePositivePartOfTheDerivative) {
  auto model = network_with("bilateral", "adaptive");
  model->to(torch::kDouble);
  const auto x = filled("input.x", {1, 3, 12, 12}).to(torch::kDouble);
  const auto map = effective_field(*model, x);
  const torch::NoGradGuard no_grad;
  const auto response = [&](const at::Tensor& image) {  // 3 x 3 tokens: number 4 is in the center
    return model->tokens(image).first[0][4].relu().sum().item<double>();
  };
  constexpr double kStep = 1e-5;
  auto want = torch::zeros({12, 12}, torch::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) {
    auto step = torch::zeros_like(x);
    step.view({-1})[i] = kStep;
    const double slope = (response(x + step) - response(x - step)) / (2 * kStep);
    want.view({-1})[i % 144] += std::max(0.0, slope) / 3;
  }
  expect_close(map, want, 1e-5, "map");
}

TEST(EffectiveField, InPartsItIsTheMeanOverAllImages) {
  auto model = network_with("bilateral", "conv");
  const auto x = filled("input.x", {5, 3, 32, 24});
  model->train();
  const auto map = effective_field(*model, x, 2);
  EXPECT_TRUE(model->is_training()) << "the mode is restored";
  auto mean = torch::zeros({32, 24}, torch::kDouble);
  for (int64_t i = 0; i < 5; ++i) mean += effective_field(*model, x.narrow(0, i, 1)) / 5;
  expect_close(map, mean, 1e-6, "map");
  for (const auto& p : model->parameters()) EXPECT_FALSE(p.grad().defined());
}

TEST(AreaRatio, IsThatOfTheSmallestCenteredSquare) {
  auto map = torch::zeros({10, 10}, torch::kDouble);
  map[4][5] = 3;  // one of the four in the center
  map[3][3] = 1;  // needs one pixel more on each side
  map[0][0] = 1;
  EXPECT_DOUBLE_EQ(area_ratio(map, 0.5), 4 / 100.0);
  EXPECT_DOUBLE_EQ(area_ratio(map, 0.6), 4 / 100.0);
  EXPECT_DOUBLE_EQ(area_ratio(map, 0.7), 16 / 100.0);
  EXPECT_DOUBLE_EQ(area_ratio(map, 0.99), 1);
  auto flat = torch::ones({9, 21}, torch::kDouble);
  EXPECT_DOUBLE_EQ(area_ratio(flat, 0), 1 / 189.0);
  EXPECT_DOUBLE_EQ(area_ratio(flat, 0.4), 9 * 9 / 189.0) << "all rows of a flat image";
  EXPECT_DOUBLE_EQ(area_ratio(flat, 1), 1);
  EXPECT_EQ(error_of([] {
              area_ratio(torch::zeros({3, 3}), 0.5);
            }),
            "the receptive field is zero everywhere, so that it has no area");
}

}  // namespace
}  // namespace wf::testing
