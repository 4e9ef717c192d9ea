#include "engine/inspect/color_map.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

TEST(ColorMap, SignedColorsAreWhiteAtZeroRedAboveAndBlueBelow) {
  const auto colors = signed_colors(torch::tensor({{0.0, 1.0, -1.0, 5.0}}));
  ASSERT_EQ(colors.sizes(), at::IntArrayRef({3, 1, 4}));
  const auto at = [&](int64_t i) { return colors.select(2, i).flatten(); };
  EXPECT_TRUE(torch::equal(at(0), torch::full({3}, 255, torch::kByte)));
  EXPECT_GT(at(1)[0].item<int>(), at(1)[2].item<int>());
  EXPECT_GT(at(2)[2].item<int>(), at(2)[0].item<int>());
  EXPECT_TRUE(torch::equal(at(3), at(1))) << "cut off";
}

TEST(ColorMap, HeatBeginsInBlackAndGetsBrighter) {
  const auto colors = heat_colors(torch::linspace(0, 1, 17).unsqueeze(0)).to(torch::kInt);
  const auto brightness = colors.sum(0)[0];
  EXPECT_LT(brightness[0].item<int>(), 12);
  EXPECT_TRUE((brightness.slice(0, 1) > brightness.slice(0, 0, 16)).all().item<bool>());
  EXPECT_GT(colors[0][0][10].item<int>(), colors[2][0][10].item<int>()) << "R, G, B: orange";
}

}  // namespace
}  // namespace wf::testing
