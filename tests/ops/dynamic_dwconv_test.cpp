#include "weightformer/ops/dynamic_dwconv.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/dynamic_conv.h"

#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace wf::testing {
namespace {

at::Tensor to_tokens(const at::Tensor& image) { return image.flatten(2).transpose(1, 2); }

class DynamicConvGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(DynamicConvGolden, OutputAndEveryGradientMatch) {
  const auto file = golden(GetParam());
  const auto shape = about(file)["shape"].get<std::vector<int64_t>>();
  DynamicConv layer{DynamicConvOptions(shape[1])};
  fill_parameters(*layer);
  auto x = filled("input.x", shape).requires_grad_();

  const auto y = layer->forward(to_tokens(x), Grid{shape[2], shape[3]});
  y.backward(to_tokens(filled("input.grad", shape)));

  expect_close(y, to_tokens(file.tensors.at("y")), kOpTolerance, "y");
  expect_close(x.grad(), file.tensors.at("grad.x"), kOpTolerance, "grad.x");
  for (const auto& item : layer->named_parameters()) {
    expect_close(item.value().grad(), file.tensors.at("grad." + item.key()), kOpTolerance,
                 "grad." + item.key());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, DynamicConvGolden,
    ::testing::Values("ops/dyn_cnn_2x32_8x8.safetensors", "ops/dyn_cnn_3x16_7x5.safetensors",
                      "ops/dyn_cnn_1x24_6x9.safetensors", "ops/dyn_cnn_2x8_3x3.safetensors",
                      "ops/dyn_cnn_2x8_4x4.safetensors", "ops/dyn_cnn_1x8_2x2.safetensors",
                      "ops/dyn_cnn_1x8_1x5.safetensors"));

TEST(DynamicDwconv, WithoutPredictedKernelsItIsAnOrdinaryDepthwiseConvolution) {
  const auto image = torch::randn({2, 6, 5, 7});
  const auto weight = torch::randn({6, 1, 3, 3}), bias = torch::randn({6});
  const auto y = dynamic_dwconv(to_tokens(image), Grid{5, 7}, std::nullopt, weight, bias);
  expect_close(y, to_tokens(torch::conv2d(image, weight, bias, 1, 1, 1, 6)), kOpTolerance, "y");
}

TEST(DynamicDwconv, AShapeErrorNamesTheOpAndTheShapes) {
  const auto x = torch::zeros({8, 4, 192});
  try {
    dynamic_dwconv(x, Grid{2, 2}, torch::zeros({8, 192, 9}), torch::zeros({192, 1, 3, 3}),
                   torch::zeros({192}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[dynamic_dwconv] kernel: expected (8, 192, 3, 3), got [8, 192, 9]");
  }
}

}  // namespace
}  // namespace wf::testing
