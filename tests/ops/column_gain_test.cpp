#include "weightformer/ops/column_gain.h"

#include "weightformer/core/check.h"

#include "support/op_check.h"

namespace wf::testing {
namespace {

constexpr double kScale = 0.3;

at::Tensor gram_of(const at::Tensor& left) {
  const auto wide = left.to(left.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  return at::bmm(wide, wide.transpose(1, 2));
}
at::Tensor op(const Tensors& t) { return std::get<0>(column_gain(t[0], t[1], kScale)); }
// The definition: norms of the columns of the predicted weight itself. Input: left, right.
at::Tensor definition(const Tensors& t) {
  const auto predicted = at::matmul(t[0].transpose(1, 2), t[1]) * kScale;
  return t[1] / (predicted.norm(2, {1}, /*keepdim=*/true) + 1);
}

TEST(ColumnGain, IsTheGainOfThePredictedWeightInEveryDtype) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    for (int64_t columns : {1, 8, 13, 48}) {
      const auto options = torch::dtype(type).device(test_device());
      // Through left, as gram is symmetric only there.
      expect_op_matches(
          [](const Tensors& t) {
            return op({gram_of(t[0]), t[1]});
          },
          definition, {torch::randn({3, 6, 9}, options), torch::randn({3, 6, columns}, options)},
          wf::str("column_gain ", type, " ", columns), /*times=*/3);
    }
  }
}

TEST(ColumnGain, AColumnOfZerosHasAFiniteGradient) {
  const auto left = torch::randn({1, 2, 4}, test_device());
  auto right = torch::randn({1, 2, 11}, test_device());
  right.slice(2, 3, 10).zero_();
  const auto result = run_with_gradients(op, {gram_of(left), right});
  EXPECT_TRUE(result.grads[0].isfinite().all().item<bool>());
  EXPECT_TRUE(result.grads[1].isfinite().all().item<bool>());
  // There the gain is the constant 1.
  const auto weights = output_weights(result.y).cpu();
  expect_close(result.grads[1].cpu().slice(2, 3, 10), weights.slice(2, 3, 10), 1e-6, "gradient");
}

TEST(ColumnGain, Float16SquaresDoNotOverflow) {
  const auto left = torch::full({1, 2, 400}, 20, torch::dtype(at::kHalf).device(test_device()));
  const auto right = torch::full({1, 2, 8}, 20, torch::dtype(at::kHalf).device(test_device()));
  EXPECT_TRUE(op({gram_of(left), right}).isfinite().all().item<bool>());
  EXPECT_GT(op({gram_of(left), right}).min().item<double>(), 0);
}

TEST(ColumnGain, WithoutRowsNormsAreZero) {
  const auto [gained, norm] = column_gain(torch::zeros({2, 0, 0}), torch::zeros({2, 0, 8}), kScale);
  EXPECT_EQ(gained.sizes(), at::IntArrayRef({2, 0, 8}));
  EXPECT_TRUE(torch::equal(norm, torch::zeros({2, 8})));
}

TEST(ColumnGain, AnErrorNamesTheOpAndTheShapesOrDtypes) {
  const auto message = [](const at::Tensor& gram, const at::Tensor& right) -> std::string {
    try {
      column_gain(gram, right, kScale);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(message(torch::zeros({2, 3, 4}), torch::zeros({2, 3, 8})),
            "[column_gain] gram: expected [2, 3, 3], got [2, 3, 4]");
  EXPECT_EQ(message(torch::zeros({2, 3, 3}, at::kHalf), torch::zeros({2, 3, 8}, at::kHalf)),
            "[column_gain] gram: expected the dtype Float, got Half");
}

}  // namespace
}  // namespace wf::testing
