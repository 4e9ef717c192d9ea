#include "weightformer/nn/modulate.h"

#include "weightformer/core/check.h"

#include "support/op_check.h"

namespace wf::testing {
namespace {

at::Tensor separately_modulated(const Tensors& t) {
  return modulate(layer_norm_no_affine(t[0]), t[1], t[2]);
}
at::Tensor fused_modulated(const Tensors& t) { return modulated_norm(t[0], t[1], t[2]); }

TEST(Modulate, ScalesAndShiftsEveryTokenOfASampleAlike) {
  const auto x = torch::tensor({1.0, 2.0, 3.0, 4.0}).view({2, 2, 1});
  const auto y = modulate(x, torch::tensor({{10.0}, {20.0}}), torch::tensor({{1.0}, {0.0}}));
  EXPECT_TRUE(torch::equal(y, torch::tensor({12.0, 14.0, 23.0, 24.0}).view({2, 2, 1}))) << y;
}

TEST(Modulate, TheNormTogetherWithItMatchesTheSeparateOnesInEveryDtype) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    const auto options = torch::dtype(type).device(test_device());
    expect_op_matches(fused_modulated, separately_modulated,
                      {torch::randn({2, 5, 12}, options), torch::randn({2, 12}, options),
                       torch::randn({2, 12}, options)},
                      wf::str(type), /*times=*/3);
  }
}

TEST(Modulate, TheNormTogetherWithItHasTheRightGradients) {
  expect_gradcheck(fused_modulated,
                   {torch::randn({2, 3, 5}, torch::kDouble), torch::randn({2, 5}, torch::kDouble),
                    torch::randn({2, 5}, torch::kDouble)});
}

TEST(Modulate, KeepsTheDtypeOfTheTokensAndOfEachGradient) {
  const auto x = torch::randn({2, 3, 8}).requires_grad_();
  const auto shift = torch::randn({2, 8}, at::kBFloat16).requires_grad_(),
             scale = torch::randn({2, 8}, at::kBFloat16).requires_grad_();
  const auto y = modulated_norm(x, shift, scale);
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  y.sum().backward();
  EXPECT_EQ(x.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(shift.grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(scale.grad().scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace wf::testing
