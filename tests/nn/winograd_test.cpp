#include "nn/winograd.h"

#include "models/vae_blocks.h"
#include "support/errors.h"
#include "support/fill.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <array>

namespace wf::testing {
namespace {

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
}

TEST(Winograd, IsAConvolutionForEverySize) {
  const torch::InferenceMode inference;
  // Batch, channels in and out, height, width: odd sides, one tile, several strips.
  for (const auto& [batch, in, out, height, width] : {std::array<int64_t, 5>{1, 5, 7, 9, 11},
                                                      {2, 3, 4, 1, 1},
                                                      {1, 4, 2, 2, 3},
                                                      {2, 6, 5, 41, 30},
                                                      {1, 3, 3, 5, 401},
                                                      {1, 16, 24, 64, 8},
                                                      {0, 2, 2, 4, 4}}) {
    const auto x = filled("input.x", {batch, in, height, width});
    const auto weight = filled("weight", {out, in, 3, 3}), bias = filled("bias", {out});
    const auto y = winograd_conv3(x, winograd_weights(weight), bias);
    const auto expected =
        at::conv2d(x.to(torch::kDouble), weight.to(torch::kDouble), bias.to(torch::kDouble), 1, 1);
    ASSERT_EQ(y.sizes(), expected.sizes());
    if (batch > 0) {
      EXPECT_LE(difference(y, expected), 2e-6) << height << " x " << width;
      const auto sum =
          winograd_conv3(x, winograd_weights(weight), bias, expected.to(torch::kFloat));
      EXPECT_LE(difference(sum, 2 * expected), 4e-6) << height << " x " << width;
    }
  }
  EXPECT_TRUE(has(error_of([] {
                    winograd_conv3(torch::zeros({1, 2, 4, 4}),
                                   winograd_weights(torch::zeros({1, 3, 3, 3})), torch::zeros({1}));
                  }),
                  "winograd_conv3: expected [B, 3, H, W]"));
}

TEST(Winograd, WithoutOneDnnTheProductsAreLibTorchs) {
  const torch::InferenceMode inference;
  const auto x = filled("input.x", {2, 6, 9, 7}), bias = filled("bias", {5});
  const auto weight = filled("weight", {5, 6, 3, 3});
  const auto expected = at::conv2d(x, weight, bias, 1, 1);
  at::globalContext().setUserEnabledMkldnn(false);
  const auto weights = winograd_weights(weight);
  EXPECT_FALSE(weights.packed);
  EXPECT_LE(difference(winograd_conv3(x, weights, bias), expected), 2e-6);
  at::globalContext().setUserEnabledMkldnn(true);
}

TEST(Winograd, AnImageDependsNeitherOnOthersNorOnThreads) {
  const torch::InferenceMode inference;
  const auto x = filled("input.x", {5, 48, 14, 9}), bias = filled("bias", {40});
  const auto weights = winograd_weights(filled("weight", {40, 48, 3, 3}));
  const auto all = winograd_conv3(x, weights, bias);
  for (int64_t i = 0; i < 5; ++i) {
    const auto one = winograd_conv3(x.slice(0, i, i + 1), weights, bias);
    EXPECT_TRUE(torch::equal(one, all.slice(0, i, i + 1))) << i;
  }
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 3 : 1);
  EXPECT_TRUE(torch::equal(winograd_conv3(x, weights, bias), all));
  at::set_num_threads(threads);
}

TEST(VaeConv, InInferenceComputesWhatItComputesWithGradients) {
  const auto conv = conv3(40, 33);
  fill_parameters(*conv);
  const auto x = filled("input.x", {2, 40, 7, 6});
  for (int round = 0; round < 2; ++round) {
    const auto direct = conv->forward(x), of_doubled = conv->forward_doubled(x);
    EXPECT_TRUE(direct.requires_grad());
    const torch::NoGradGuard no_grad;
    EXPECT_LE(difference(conv->forward(x), direct), 6e-6);
    EXPECT_LE(difference(conv->forward_doubled(x), of_doubled), 6e-6);
    EXPECT_LE(difference(of_doubled, at::conv2d(doubled(x), conv->weight, conv->bias, 1, 1)), 6e-6);
    conv->weight.mul_(-2);  // what was prepared from the former weights is not used
  }
}

}  // namespace
}  // namespace wf::testing
