#include "weightformer/core/check.h"
#include "weightformer/ops/grid_pool3.h"
#include "weightformer/ops/token_pool.h"

#include "support/op_check.h"

namespace wf::testing {
namespace {

struct PoolCase {
  const char* name;
  at::Tensor (*op)(const at::Tensor&, Grid);
  at::Tensor (*reference)(const at::Tensor&, Grid);
};

class Pool : public ::testing::TestWithParam<PoolCase> {
 protected:
  Op op(Grid grid) const {
    return [this, grid](const Tensors& t) { return GetParam().op(t[0], grid); };
  }
  Op reference(Grid grid) const {
    return [this, grid](const Tensors& t) { return GetParam().reference(t[0], grid); };
  }
};

TEST_P(Pool, MatchesItsReferenceInEveryDtypeOnEveryGrid) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    for (const Grid grid :
         {Grid{8, 8}, Grid{7, 5}, Grid{2, 3}, Grid{3, 3}, Grid{1, 4}, Grid{14, 1}}) {
      for (int64_t channels : {1, 7, 16, 35}) {
        const auto x =
            torch::randn({2, grid.tokens(), channels}, torch::dtype(type).device(test_device()));
        expect_op_matches(
            op(grid), reference(grid), {x},
            wf::str(GetParam().name, " ", type, " ", grid.height, "x", grid.width, " ", channels));
      }
    }
  }
}

TEST_P(Pool, TakesInputThatIsNotContiguousAndAnEmptyBatch) {
  const auto x = torch::randn({2, 8, 24}, test_device()).transpose(1, 2);  // [2, 24, 8]
  expect_op_matches(op({4, 6}), reference({4, 6}), {x}, "transposed");
  const auto none = torch::zeros({0, 24, 8}, test_device());
  EXPECT_EQ(op({4, 6})({none}).sizes(), reference({4, 6})({none}).sizes());
}

TEST_P(Pool, ItsGradientIsRight) {
  expect_gradcheck(op({5, 3}), {torch::randn({2, 15, 3}, torch::kDouble)});
}

TEST_P(Pool, AShapeErrorNamesTheOpAndTheShapes) {
  try {
    op({4, 4})({torch::zeros({2, 15, 3})});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), str("[", GetParam().name, "] x: expected (B, 4*4, C), got [2, 15, 3]"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ops, Pool,
    ::testing::Values(PoolCase{"token_pool", &token_pool, &reference::token_pool},
                      PoolCase{"grid_pool3", &grid_pool3, &reference::grid_pool3}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace wf::testing
