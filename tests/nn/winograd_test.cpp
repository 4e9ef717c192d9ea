#include "nn/winograd.h"

#include "models/vae_blocks.h"
#include "support/errors.h"
#include "support/fill.h"

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
    }
  }
  EXPECT_TRUE(has(error_of([] {
                    winograd_conv3(torch::zeros({1, 2, 4, 4}),
                                   winograd_weights(torch::zeros({1, 3, 3, 3})), torch::zeros({1}));
                  }),
                  "winograd_conv3: expected [B, 3, H, W]"));
}

TEST(VaeConv, InInferenceComputesWhatItComputesWithGradients) {
  const auto conv = conv3(40, 33);
  fill_parameters(*conv);
  const auto x = filled("input.x", {2, 40, 7, 6});
  for (int round = 0; round < 2; ++round) {
    const auto direct = conv->forward(x), of_doubled = conv->forward_doubled(x);
    EXPECT_TRUE(direct.requires_grad());
    const torch::NoGradGuard no_grad;
    EXPECT_LE(difference(conv->forward(x), direct), 3e-6);
    EXPECT_LE(difference(conv->forward_doubled(x), of_doubled), 3e-6);
    EXPECT_LE(difference(of_doubled, at::conv2d(doubled(x), conv->weight, conv->bias, 1, 1)), 3e-6);
    conv->weight.mul_(-2);  // what was prepared from the former weights is not used
  }
}

}  // namespace
}  // namespace wf::testing
