#include "weightformer/nn/fused_linear.h"

#include "weightformer/core/check.h"

#include "support/op_check.h"

#include <ATen/autocast_mode.h>

namespace wf::testing {
namespace {

at::Tensor separate(const Tensors& t) { return at::linear(at::gelu(t[0]), t[1], t[2]); }
at::Tensor fused(const Tensors& t) { return gelu_linear(t[0], t[1], t[2]); }

TEST(FusedLinear, GeluLinearMatchesTheSeparateOnesInEveryDtype) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    const auto options = torch::dtype(type).device(test_device());
    expect_op_matches(fused, separate,
                      {torch::randn({2, 5, 12}, options), torch::randn({7, 12}, options),
                       torch::randn({7}, options)},
                      wf::str(type), /*times=*/2);
  }
}

TEST(FusedLinear, GeluLinearHasTheRightGradients) {
  expect_gradcheck(fused,
                   {torch::randn({2, 3, 4}, torch::kDouble), torch::randn({5, 4}, torch::kDouble),
                    torch::randn({5}, torch::kDouble)});
}

TEST(FusedLinear, TheTanhFormIsItsOwnFunctionWithItsOwnGradients) {
  const auto tanh = [](const Tensors& t) { return gelu_linear(t[0], t[1], t[2], Gelu::tanh); };
  const Tensors inputs{torch::randn({2, 3, 4}, torch::kDouble),
                       torch::randn({5, 4}, torch::kDouble), torch::randn({5}, torch::kDouble)};
  expect_gradcheck(tanh, inputs);
  const auto expected = at::linear(at::gelu(inputs[0], "tanh"), inputs[1], inputs[2]);
  expect_close(tanh(inputs), expected, 1e-12, "tanh");
  EXPECT_GT(relative_error(fused(inputs), expected), 1e-6);
}

TEST(FusedLinear, GeluLinearComputesInTheDtypeOfItsInputAndKeepsTheWeightsGradientInTheWeights) {
  const auto x = torch::randn({3, 4}, at::kBFloat16).requires_grad_();
  const auto weight = torch::randn({5, 4}).requires_grad_(),
             bias = torch::randn({5}).requires_grad_();
  const auto y = gelu_linear(x, weight, bias);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  y.sum().backward();
  EXPECT_EQ(weight.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(bias.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(x.grad().scalar_type(), at::kBFloat16);
}

TEST(FusedLinear, InInferenceModeTheFusedCallsMatchTheSeparateOnes) {
  const torch::InferenceMode inference;
  const auto x = torch::randn({2, 9, 16}), weight = torch::randn({24, 16}),
             bias = torch::randn({24});
  const auto residual = torch::randn({2, 9, 24});
  expect_close(linear_gelu(x, weight, bias), at::gelu(at::linear(x, weight, bias)), 1e-6, "gelu");
  expect_close(linear_gelu(x, weight, bias, Gelu::tanh),
               at::gelu(at::linear(x, weight, bias), "tanh"), 1e-6, "gelu, tanh");
  expect_close(linear_add(residual, x, weight, bias), residual + at::linear(x, weight, bias), 1e-6,
               "add");
}

}  // namespace
}  // namespace wf::testing
