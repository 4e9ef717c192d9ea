#include "nn/residual.h"

#include "weightformer/nn/drop_path.h"

#include "support/op_check.h"

#include <ATen/CPUGeneratorImpl.h>

namespace wf::testing {
namespace {

at::Tensor plain(const Tensors& t, const at::Tensor& rows) {
  return t[0] + rows.view({-1, 1, 1}) * t[1];
}

TEST(Residual, ScalesTheRowsOfTheUpdateInEveryDtype) {
  torch::manual_seed(0);
  for (const auto type : op_dtypes()) {
    const auto options = torch::dtype(type).device(test_device());
    const auto rows = torch::tensor({0.0, 1.25, 0.5}, options);
    expect_op_matches([&](const Tensors& t) { return add_residual(t[0], t[1], rows); },
                      [&](const Tensors& t) { return plain(t, rows.to(t[0])); },
                      {torch::randn({3, 5, 7}, options), torch::randn({3, 5, 7}, options)},
                      wf::str(type));
  }
}

TEST(Residual, KeepsTheDtypesOfBothSides) {
  const auto skip = torch::randn({2, 3, 4}).requires_grad_();
  const auto update = torch::randn({2, 3, 4}, torch::kBFloat16).requires_grad_();
  const auto rows = torch::tensor({2.0f, 0.0f});
  const auto sum = add_residual(skip, update, rows);
  EXPECT_EQ(sum.scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::equal(sum, skip + rows.view({2, 1, 1}) * update.to(torch::kFloat)));
  (sum * 3).sum().backward();
  EXPECT_TRUE(torch::equal(skip.grad(), torch::full_like(skip, 3)));
  EXPECT_EQ(update.grad().scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(torch::equal(update.grad()[0], torch::full({3, 4}, 6, torch::kBFloat16)));
  EXPECT_TRUE(torch::equal(update.grad()[1], torch::zeros({3, 4}, torch::kBFloat16)));
  // Short tokens stay short.
  EXPECT_EQ(add_residual(update, update, rows).scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(torch::equal(add_residual(skip, update, {}), skip + update));
}

TEST(Residual, TheScaleOfADropPathIsItsDraw) {
  DropPath drop_path(DropPathOptions(0.25));
  drop_path->generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto x = torch::randn({1000, 2, 3});
  const auto dropped = drop_path->forward(x);
  drop_path->generator.set_current_seed(7);
  const auto rows = drop_path->row_scale(x);
  EXPECT_EQ(rows.sizes(), at::IntArrayRef({1000}));
  EXPECT_TRUE(torch::allclose(dropped, x * rows.view({-1, 1, 1}), 1e-6, 0));
  EXPECT_NEAR(rows.eq(0).to(torch::kFloat).mean().item<double>(), 0.25, 0.05);
  drop_path->eval();
  EXPECT_FALSE(drop_path->row_scale(x).defined());
}

}  // namespace
}  // namespace wf::testing
