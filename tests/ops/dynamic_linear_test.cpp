#include "weightformer/ops/dynamic_linear.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/dynamic_linear.h"

#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace wf::testing {
namespace {

class DynamicLinearGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(DynamicLinearGolden, OutputAndEveryGradientMatch) {
  const auto file = golden(GetParam());
  const auto shape = about(file)["shape"].get<std::vector<int64_t>>();
  const int64_t b = shape[0], c = shape[1], d = shape[2], h = shape[3], w = shape[4];
  DynamicLinear layer(DynamicLinearOptions(c, d));
  fill_parameters(*layer);
  auto x = filled("input.x", {b, h * w, c}).requires_grad_();

  const auto y = layer->forward(x, Grid{h, w});
  y.backward(filled("input.grad", y.sizes()));

  expect_close(y, file.tensors.at("y"), kOpTolerance, "y");
  expect_close(x.grad(), file.tensors.at("grad.x"), kOpTolerance, "grad.x");
  for (const auto& item : layer->named_parameters()) {
    expect_close(item.value().grad(), file.tensors.at("grad." + item.key()), kOpTolerance,
                 "grad." + item.key());
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DynamicLinearGolden,
                         ::testing::Values("ops/dyn_linear_2x32x128_8x8.safetensors",
                                           "ops/dyn_linear_3x16x64_7x5.safetensors",
                                           "ops/dyn_linear_1x48x192_6x9.safetensors",
                                           "ops/dyn_linear_2x8x32_3x3.safetensors"));

TEST(DynamicLinear, AGridTooSmallToPoolUsesTheStaticWeight) {
  DynamicLinear layer(DynamicLinearOptions(8, 16));
  const auto x = torch::randn({2, 5, 8});
  const auto y = layer->forward(x, Grid{1, 5});
  expect_close(y, torch::matmul(x, layer->w) + layer->b, kOpTolerance, "y");
}

TEST(DynamicLinear, AColumnOfZerosHasAFiniteGradient) {
  auto left = torch::zeros({1, 2, 4}).requires_grad_();
  auto right = torch::zeros({1, 2, 8}).requires_grad_();
  const auto y =
      dynamic_linear(torch::randn({1, 8, 4}), left, right, torch::randn({4, 8}), torch::zeros({8}));
  y.sum().backward();
  EXPECT_TRUE(left.grad().isfinite().all().item<bool>());
  EXPECT_TRUE(right.grad().isfinite().all().item<bool>());
}

TEST(DynamicLinear, AShapeErrorNamesTheOpAndTheShapes) {
  try {
    dynamic_linear(torch::zeros({2, 9, 4}), torch::zeros({2, 1, 5}), torch::zeros({2, 1, 8}),
                   torch::zeros({4, 8}), torch::zeros({8}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[dynamic_linear] left: expected (2, R, 4), got [2, 1, 5]");
  }
}

}  // namespace
}  // namespace wf::testing
