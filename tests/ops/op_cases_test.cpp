// What is asked of every operator alike, for each row of tools/op_cases.cpp.

#include "op_cases.h"

#include "weightformer/core/check.h"
#include "weightformer/ops/token_pool.h"

#include "support/op_check.h"

#include <algorithm>

namespace wf::testing {
namespace {

class OpCases : public ::testing::TestWithParam<OpCase> {
 protected:
  static Op at_grid(const OpCase::Function& function, Grid grid) {
    return [&function, grid](const Tensors& t) { return function(t, grid); };
  }
  static Op op(Grid grid) { return at_grid(GetParam().op, grid); }

  static void expect_matches(const Tensors& inputs, Grid grid, const std::string& what) {
    expect_op_matches(op(grid), at_grid(GetParam().reference, grid), inputs, what,
                      GetParam().roundings);
  }
};

TEST_P(OpCases, MatchTheirReferencesInEveryDtypeOnEveryGrid) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    const auto options = torch::dtype(type).device(test_device());
    for (const Grid grid :
         {Grid{8, 8}, Grid{7, 5}, Grid{2, 3}, Grid{3, 3}, Grid{1, 4}, Grid{14, 1}, Grid{1, 1}}) {
      for (const int64_t channels : {1, 7, 16, 35}) {
        expect_matches(GetParam().make_inputs({2, grid, channels}, options), grid,
                       wf::str(type, " ", grid.height, "x", grid.width, "x", channels));
      }
    }
  }
}

TEST_P(OpCases, HaveTheRightGradients) {
  torch::manual_seed(0);
  expect_gradcheck(op({5, 3}), GetParam().make_inputs({2, {5, 3}, 3}, torch::kDouble));
}

TEST_P(OpCases, TakeInputsThatAreNotContiguous) {
  torch::manual_seed(0);
  auto inputs = GetParam().make_inputs({2, {4, 6}, 8}, torch::device(test_device()));
  for (auto& t : inputs)
    t = t.transpose(0, -1).clone(at::MemoryFormat::Contiguous).transpose(0, -1);
  expect_matches(inputs, {4, 6}, "strided");
}

// Compiled code takes the memory of results for what tensors without data say.
TEST_P(OpCases, LayOutResultsWithAndWithoutDataAlike) {
  torch::manual_seed(0);
  const std::function<at::Tensor(const at::Tensor&)> layouts[]{
      [](const at::Tensor& t) { return t; },
      [](const at::Tensor& t) {
        return t.transpose(0, -1).clone(at::MemoryFormat::Contiguous).transpose(0, -1);
      },
      [](const at::Tensor& t) { return t.slice(0, 0, 1).expand_as(t); }};
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto options = torch::dtype(type).device(test_device());
    const auto inputs = GetParam().make_inputs({2, {5, 4}, 8}, options);
    for (const auto& layout : layouts) {
      Tensors real, meta;
      for (const auto& t : inputs) {
        real.push_back(layout(t));
        meta.push_back(
            at::empty_strided(t.sizes(), real.back().strides(), t.options().device(torch::kMeta)));
      }
      const auto want = run_with_gradients(op({5, 4}), real);
      const auto got = run_with_gradients(op({5, 4}), meta);
      EXPECT_EQ(got.y.strides(), want.y.strides());
      for (size_t i = 0; i < inputs.size(); ++i) {
        EXPECT_EQ(got.grads[i].sizes(), want.grads[i].sizes()) << "input " << i;
        EXPECT_EQ(got.grads[i].strides(), want.grads[i].strides()) << "input " << i;
      }
    }
  }
}

TEST_P(OpCases, HaveTheRightSecondDerivativesOrRefuseThem) {
  torch::manual_seed(0);
  const auto inputs = GetParam().make_inputs({2, {5, 3}, 3}, torch::kDouble);
  const auto second = [&](const OpCase::Function& function) {
    Tensors at;
    for (const auto& t : inputs) at.push_back(t.detach().requires_grad_());
    const auto y = function(at, {5, 3});
    // The derivative with respect to it tells, where the operator is linear.
    at.push_back(output_weights(y).requires_grad_());
    const Tensors leaves(at.begin(), at.end() - 1);
    const auto first = torch::autograd::grad({y}, leaves, {at.back()}, true, /*create_graph=*/true);
    auto sum = torch::zeros({}, torch::kDouble);
    for (const auto& grad : first) sum = sum + (grad * output_weights(grad)).sum();
    return torch::autograd::grad({sum}, at, {}, std::nullopt, false, /*allow_unused=*/true);
  };
  const auto name = GetParam().name.substr(0, GetParam().name.find(','));
  Tensors got;
  try {
    got = second(GetParam().op);
  } catch (const Error& error) {
    EXPECT_EQ(error.what(),
              "[" + name + "] is once differentiable: for second derivatives use its " +
                  "formula in plain ATen (wf::reference::" + name + ") or in plain PyTorch");
    EXPECT_NE(name, "token_pool");
    EXPECT_NE(name, "grid_pool3");
    return;
  }
  const auto want = second(GetParam().reference);
  for (size_t i = 0; i < want.size(); ++i) {
    if (got[i].defined() && want[i].defined()) {
      expect_close(got[i], want[i], 1e-12, "derivative " + std::to_string(i));
      continue;
    }
    // An undefined derivative is zero.
    for (const auto& t : {got[i], want[i]}) {
      EXPECT_TRUE(!t.defined() || t.eq(0).all().item<bool>()) << i;
    }
  }
}

TEST_P(OpCases, TakeAnEmptyBatch) {
  const auto options = torch::device(test_device());
  auto sizes = op({4, 6})(GetParam().make_inputs({1, {4, 6}, 8}, options)).sizes().vec();
  sizes[0] = 0;
  const auto result =
      run_with_gradients(op({4, 6}), GetParam().make_inputs({0, {4, 6}, 8}, options));
  EXPECT_EQ(result.y.sizes(), at::IntArrayRef(sizes));
  for (const auto& grad : result.grads) EXPECT_TRUE(torch::equal(grad, torch::zeros_like(grad)));
}

TEST_P(OpCases, NameThemselvesInTheErrorOfAnyInputOfAWrongShape) {
  const auto& name = GetParam().name;
  const auto inputs = GetParam().make_inputs({2, {4, 4}, 8}, torch::device(test_device()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto wrong = inputs;
    wrong[i] = wrong[i].unsqueeze(0);
    try {
      op({4, 4})(wrong);
      ADD_FAILURE() << "input " << i << ": no error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind("[" + name.substr(0, name.find(',')) + "] ", 0), 0u)
          << "input " << i << ": " << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OpCases, ::testing::ValuesIn(op_cases()), [](const auto& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

TEST(TokenOps, AShapeErrorNamesTheOpAndTheShapes) {
  try {
    token_pool(torch::zeros({2, 15, 3}), {4, 4});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[token_pool] x: expected (B, 4*4, C), got [2, 15, 3]");
  }
}

}  // namespace
}  // namespace wf::testing
