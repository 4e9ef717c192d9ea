#include "weightformer/ops/dynamic_linear.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/dynamic_linear.h"

#include "support/fill.h"
#include "support/golden.h"
#include "support/op_check.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

class DynamicLinearGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(DynamicLinearGolden, OutputAndEveryGradientMatch) {
  const auto file = golden(GetParam());
  const auto shape = about(file)["shape"].get<std::vector<int64_t>>();
  const int64_t b = shape[0], c = shape[1], d = shape[2], h = shape[3], w = shape[4];
  for (const auto& mode : dynamic_linear_modes()) {
    SCOPED_TRACE(mode);
    DynamicLinear layer(DynamicLinearOptions(c, d).mode(mode));
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

Op with_mode(const std::string& mode) {
  return [mode](const Tensors& t) { return dynamic_linear(t[0], t[1], t[2], t[3], t[4], mode); };
}
at::Tensor published(const Tensors& t) {
  return reference::dynamic_linear(t[0], t[1], t[2], t[3], t[4]);
}
Tensors make_inputs(int64_t batch, int64_t tokens, int64_t rank, at::TensorOptions options) {
  return {torch::randn({batch, tokens, 12}, options), torch::randn({batch, rank, 12}, options),
          torch::randn({batch, rank, 20}, options), torch::randn({12, 20}, options),
          torch::randn({20}, options)};
}

TEST(DynamicLinear, EveryModeMatchesThePublishedOrderInEveryDtype) {
  torch::manual_seed(0);
  for (const std::string mode : {"auto", "factored", "merged"}) {
    for (const auto type : op_dtypes()) {
      for (const auto& [tokens, rank] : {std::pair{4, 1}, {9, 4}, {40, 10}, {5, 0}}) {
        const auto options = torch::dtype(type).device(test_device());
        // Results are rounded to the dtype several times on the way.
        expect_op_matches(with_mode(mode), published, make_inputs(3, tokens, rank, options),
                          wf::str(mode, " ", type, " ", tokens, " tokens"), /*times=*/3);
      }
    }
  }
}

TEST(DynamicLinear, UnderAutocastItComputesInTheLowerPrecision) {
  const auto inputs = make_inputs(2, 6, 3, torch::kFloat);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const auto y = with_mode("auto")(inputs);
  // Backward too may run under it, as careless Python programs do.
  const auto left = inputs[1].detach().requires_grad_();
  with_mode("auto")({inputs[0], left, inputs[2], inputs[3], inputs[4]}).sum().backward();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_TRUE(left.grad().isfinite().all().item<bool>());
  at::autocast::clear_cache();
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  expect_close(y, published(inputs), 2e-2, "y");
}

// On a GPU the module adds them, so that the GEMMs' rows are aligned.
TEST(DynamicLinear, RowsOfZerosInLeftAndRightChangeNothing) {
  torch::manual_seed(0);
  const auto options = torch::dtype(torch::kDouble).device(test_device());
  const Tensors inputs{torch::randn({2, 12, 8}, options), torch::randn({2, 3, 8}, options),
                       torch::randn({2, 3, 16}, options), torch::randn({8, 16}, options),
                       torch::randn({16}, options)};
  const auto padded = [](const at::Tensor& t) { return at::constant_pad_nd(t, {0, 0, 0, 5}); };
  for (const char* mode : {"factored", "merged"}) {
    const auto plain = run_with_gradients(
        [&](const Tensors& t) { return dynamic_linear(t[0], t[1], t[2], t[3], t[4], mode); },
        inputs);
    const auto aligned = run_with_gradients(
        [&](const Tensors& t) {
          return dynamic_linear(t[0], padded(t[1]), padded(t[2]), t[3], t[4], mode);
        },
        inputs);
    expect_close(aligned.y, plain.y, 1e-13, "y");
    for (size_t i = 0; i < inputs.size(); ++i) {
      expect_close(aligned.grads[i], plain.grads[i], 1e-13, "gradient " + std::to_string(i));
    }
  }
}

TEST(DynamicLinear, AnUnknownModeListsTheKnownOnes) {
  try {
    with_mode("fast")(make_inputs(1, 4, 1, torch::kFloat));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected auto, factored or merged"),
              std::string::npos)
        << error.what();
  }
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

// The scale of 4096 tokens is 3e-5: a factor that held it would lose most of its bits.
TEST(DynamicLinear, Float16KeepsItsBitsWithManyTokens) {
  const int64_t n = 4096, c = 64, d = 32, r = 64;
  torch::manual_seed(2);
  const auto x = 64 * torch::randn({1, n, c}, torch::kDouble);
  const auto left = torch::randn({1, r, c}, torch::kDouble);
  const auto right = 0.05 * torch::randn({1, r, d}, torch::kDouble);
  const auto weight = torch::zeros({c, d}, torch::kDouble),
             bias = torch::zeros({d}, torch::kDouble);
  const auto half = [](const at::Tensor& t) { return t.to(test_device(), at::kHalf); };
  const auto full = [&](const at::Tensor& t) { return half(t).to(at::kCPU, at::kDouble); };
  const auto expected = reference::dynamic_linear(full(x), full(left), full(right), weight, bias);
  for (const char* mode : {"factored", "merged"}) {
    const auto y = dynamic_linear(half(x), half(left), half(right), half(weight), half(bias), mode);
    const auto error = (y.to(at::kCPU, at::kDouble) - expected).norm() / expected.norm();
    EXPECT_LT(error.item<double>(), 2e-3) << mode;
  }
}

}  // namespace
}  // namespace wf::testing
