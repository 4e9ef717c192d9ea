#include "weightformer/nn/dynamic_conv.h"

#include "weightformer/nn/modulate.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"
#include "support/op_check.h"

#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf::testing {
namespace {

namespace F = torch::nn::functional;

constexpr int64_t kChannels = 8;
constexpr Grid kShape{4, 5};

DynamicConv filled_conv(const std::string& predictor) {
  DynamicConv layer(DynamicConvOptions(kChannels).predictor(predictor));
  layer->to(torch::kDouble);
  fill_parameters(*layer);
  return layer;
}

at::Tensor input_of(const std::string& name, int64_t batch = 2) {
  return filled("input." + name, {batch, kShape.height * kShape.width, kChannels})
      .to(torch::kDouble);
}

at::Tensor as_image(const at::Tensor& x) {
  return x.transpose(1, 2).unflatten(2, {kShape.height, kShape.width});
}

torch::nn::Conv2dImpl& part(DynamicConvImpl& layer, size_t i) {
  return *layer.wfm[i]->as<torch::nn::Conv2d>();
}

// [B, C, 3, 3]: the predicted part of the kernels, by the formulas of the header.
at::Tensor expected_kernel(DynamicConvImpl& layer, const std::string& predictor,
                           const at::Tensor& image) {
  const auto pool = [](const at::Tensor& t) { return torch::adaptive_avg_pool2d(t, {3, 3}); };
  const auto bounded = [](const at::Tensor& k) { return k / (k.norm(2, {2, 3}, true) + 1); };
  auto &first = part(layer, 0), &last = part(layer, 2);
  if (predictor == "gap") {
    const auto mean = image.mean({2, 3}, true);
    return bounded(last.forward(torch::gelu(first.forward(mean)))
                       .view({-1, 9, kChannels})
                       .transpose(1, 2)
                       .unflatten(2, {3, 3}));
  }
  if (predictor == "conv") {
    return bounded(last.forward(pool(torch::gelu(first.forward(image)))));
  }
  const auto kernel = last.forward(torch::gelu(first.forward(pool(image))));
  if (predictor == "adaptive") return bounded(kernel);
  const auto strength = torch::sigmoid(layer.amplitude->forward(image.mean({2, 3}, true)));
  return strength * kernel / kernel.norm(2, {2, 3}, true);
}

class EveryConvPredictor : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryConvPredictor, TheLayerConvolvesWithTheKernelOfItsFormula) {
  auto layer = filled_conv(GetParam());
  const auto x = input_of("x");
  auto kernel = layer->w.transpose(0, 1).expand({2, -1, -1, -1});
  if (GetParam() != "static") {
    const auto predicted = expected_kernel(*layer, GetParam(), as_image(x));
    EXPECT_GT(predicted.norm().item<double>(), 0.1) << "the prediction is visible";
    kernel = kernel + predicted;
  }
  std::vector<at::Tensor> samples;
  for (int64_t i = 0; i < 2; ++i) {
    samples.push_back(
        F::conv2d(as_image(x).narrow(0, i, 1), kernel[i].unsqueeze(1),
                  F::Conv2dFuncOptions().bias(layer->b).padding(1).groups(kChannels)));
  }
  const auto want = torch::cat(samples).flatten(2).transpose(1, 2);
  // amp-dir divides by a length with 1e-6 added.
  expect_close(layer->forward(x, kShape), want, GetParam() == "amp-dir" ? 1e-5 : 1e-12, "y");
}

TEST_P(EveryConvPredictor, KernelsArePredictedFromTheModulatedInput) {
  auto layer = filled_conv(GetParam());
  const auto x = input_of("x");
  DwconvOptions fusion;
  fusion.shift = filled("input.shift", {2, kChannels}).to(torch::kDouble);
  fusion.scale = filled("input.scale", {2, kChannels}).to(torch::kDouble);
  expect_close(layer->forward(x, kShape, fusion),
               layer->forward(modulate(x, *fusion.shift, *fusion.scale), kShape), 1e-12, "y");
}

TEST_P(EveryConvPredictor, GradientsAgreeWithFiniteDifferences) {
  auto layer = filled_conv(GetParam());
  auto& l = *layer;
  std::vector<at::Tensor*> places{&l.w, &l.b};
  if (l.wfm) {
    places.insert(places.end(), {&part(l, 0).weight, &part(l, 0).bias, &part(l, 2).weight});
  }
  if (l.amplitude) places.insert(places.end(), {&l.amplitude->weight, &l.amplitude->bias});
  ASSERT_EQ(places.size(), l.parameters().size());
  Tensors inputs{input_of("x")};
  for (const auto* place : places) inputs.push_back(place->detach().clone());
  expect_gradcheck(
      [&](const Tensors& t) {
        for (size_t i = 0; i < places.size(); ++i) *places[i] = t[i + 1];
        return l.forward(t[0], kShape);
      },
      inputs);
}

TEST_P(EveryConvPredictor, ACopyHasTheSameParametersAndComputesTheSame) {
  const auto layer = filled_conv(GetParam());
  const auto copy = std::dynamic_pointer_cast<DynamicConvImpl>(layer->clone());
  const auto x = input_of("x");
  EXPECT_TRUE(torch::equal(copy->forward(x, kShape), layer.ptr()->forward(x, kShape)));
}

INSTANTIATE_TEST_SUITE_P(Names, EveryConvPredictor, ::testing::ValuesIn(conv_predictors()),
                         [](const auto& info) {
                           auto name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(ConvPredictors, OnlyGapDoesNotSeeWhereATokenIs) {
  const auto x = input_of("x", 1), reversed = x.flip(1);
  for (const auto& name : conv_predictors()) {
    auto layer = filled_conv(name);
    const auto kernel = layer->predict(x, kShape);
    EXPECT_EQ(kernel.has_value(), name != "static");
    if (!kernel) continue;
    ASSERT_EQ(kernel->sizes(), at::IntArrayRef({1, kChannels, 3, 3}));
    EXPECT_EQ(torch::allclose(*kernel, *layer->predict(reversed, kShape)), name == "gap") << name;
  }
}

TEST(ConvPredictors, TheAmplitudeOfAmpDirIsNotThatOfItsKernels) {
  auto layer = filled_conv("amp-dir");
  const auto x = input_of("x");
  const auto y = layer->forward(x, kShape);
  const torch::NoGradGuard no_grad;
  part(*layer, 2).weight.mul_(10);
  expect_close(layer->forward(x, kShape), y, 1e-5, "ten times the kernels");
  layer->amplitude->bias.add_(1);
  EXPECT_GT(relative_error(layer->forward(x, kShape), y), 0.05);
}

TEST(ConvPredictors, AnUnknownNameListsTheKnownOnes) {
  EXPECT_EQ(error_of([] { DynamicConv(DynamicConvOptions(8).predictor("ampdir")); }),
            "unknown convolution predictor 'ampdir', did you mean 'amp-dir'? known: static, gap, "
            "adaptive, amp-dir, conv");
  EXPECT_EQ(error_of([] { DynamicConv(DynamicConvOptions(6).predictor("gap")); }),
            "DynamicConv: gap needs a multiple of 4 channels, got 6");
}

}  // namespace
}  // namespace wf::testing
