#include "weightformer/ops/dynamic_dwconv.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/dynamic_conv.h"

#include "support/fill.h"
#include "support/golden.h"
#include "support/op_check.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

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

// Everything there is, or parts of it. Inputs: x, weight, bias, then as asked: kernel, shift,
// scale, gate.
struct DwconvCase {
  bool kernel, modulated, gated, residual;
};

Op make_op(decltype(&dynamic_dwconv) function, Grid grid, DwconvCase c) {
  return [=](const Tensors& t) {
    size_t next = 3;
    DwconvOptions options;
    std::optional<at::Tensor> kernel;
    if (c.kernel) kernel = t[next++];
    if (c.modulated) options.shift = t[next++], options.scale = t[next++];
    if (c.gated) options.gate = t[next++];
    options.residual = c.residual;
    return function(t[0], grid, kernel, t[1], t[2], options);
  };
}

Tensors make_inputs(Grid grid, DwconvCase c, int64_t channels, at::TensorOptions options) {
  Tensors t{torch::randn({2, grid.tokens(), channels}, options),
            torch::randn({channels, 1, 3, 3}, options), torch::randn({channels}, options)};
  if (c.kernel) t.push_back(torch::randn({2, channels, 3, 3}, options));
  for (int i = 0; i < 2 * c.modulated + c.gated; ++i) {
    t.push_back(torch::randn({2, channels}, options));
  }
  return t;
}

const std::vector<DwconvCase> kCases{{false, false, false, false}, {true, false, false, false},
                                     {true, false, false, true},   {false, true, true, true},
                                     {true, true, true, true},     {true, false, true, false},
                                     {true, true, false, false}};

TEST(DynamicDwconv, MatchesItsReferenceInEveryDtypeOnEveryGridWithEveryOption) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    for (const Grid grid : {Grid{7, 5}, Grid{1, 4}, Grid{3, 1}, Grid{1, 1}, Grid{14, 14}}) {
      for (const auto& c : kCases) {
        for (int64_t channels : {3, 8, 21}) {
          const auto inputs =
              make_inputs(grid, c, channels, torch::dtype(type).device(test_device()));
          expect_op_matches(
              make_op(&dynamic_dwconv, grid, c), make_op(&reference::dynamic_dwconv, grid, c),
              inputs,
              wf::str(type, " ", grid.height, "x", grid.width, " ", channels, " kernel ", c.kernel,
                      " modulated ", c.modulated, " gated ", c.gated),
              /*times=*/2);
        }
      }
    }
  }
}

TEST(DynamicDwconv, ItsGradientsAreRight) {
  for (const auto& c : kCases) {
    expect_gradcheck(make_op(&dynamic_dwconv, {3, 4}, c),
                     make_inputs({3, 4}, c, 2, torch::kDouble));
  }
}

TEST(DynamicDwconv, AKernelOfZerosHasAFiniteGradient) {
  auto kernel = torch::zeros({1, 4, 3, 3}, test_device()).requires_grad_();
  const auto options = torch::device(test_device());
  dynamic_dwconv(torch::randn({1, 6, 4}, options), {2, 3}, kernel,
                 torch::randn({4, 1, 3, 3}, options), torch::zeros({4}, options))
      .sum()
      .backward();
  EXPECT_TRUE(kernel.grad().isfinite().all().item<bool>());
}

TEST(DynamicDwconv, ParametersMayHaveADtypeOfTheirOwn) {
  const DwconvCase c{true, false, false, true};
  auto inputs = make_inputs({4, 4}, c, 8, torch::device(test_device()));
  const auto full = make_op(&dynamic_dwconv, {4, 4}, c)(inputs);
  inputs[3] = inputs[3].to(at::kBFloat16);  // as autocast's linear layers predict it
  const auto y = make_op(&dynamic_dwconv, {4, 4}, c)(inputs);
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  expect_close(y.cpu(), full.cpu(), 1e-2, "y");
}

TEST(DynamicDwconv, RepeatsEveryBitForAnyNumberOfThreads) {
  const DwconvCase c{true, false, false, true};
  const auto inputs = make_inputs({14, 14}, c, 96, torch::kFloat);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = run_with_gradients(make_op(&dynamic_dwconv, {14, 14}, c), inputs);
  at::set_num_threads(2);
  const auto two = run_with_gradients(make_op(&dynamic_dwconv, {14, 14}, c), inputs);
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(one.y, two.y));
  for (size_t i = 0; i < one.grads.size(); ++i) {
    EXPECT_TRUE(torch::equal(one.grads[i], two.grads[i])) << "gradient of input " << i;
  }
}

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
    EXPECT_STREQ(error.what(), "[dynamic_dwconv] kernel: expected [8, 192, 3, 3], got [8, 192, 9]");
  }
}

}  // namespace
}  // namespace wf::testing
