#include "ops/gemm.h"

#include "support/errors.h"
#include "support/op_check.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

namespace wf::testing {
namespace {

// Sets WF_CPU_PRODUCTS during its lifetime.
class Products {
 public:
  explicit Products(const char* name) {
    if (const char* word = std::getenv(kName)) before_ = word;
    setenv(kName, name, 1);
  }
  ~Products() { before_ ? setenv(kName, before_->c_str(), 1) : unsetenv(kName); }
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

 private:
  static constexpr const char* kName = "WF_CPU_PRODUCTS";
  std::optional<std::string> before_;
};

bool has_onednn() {
  const Products products("onednn");
  return onednn_multiplies();
}

class Gemm : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "onednn" && !has_onednn()) GTEST_SKIP() << "without oneDNN";
    products_.emplace(GetParam());
    torch::manual_seed(0);
  }
  std::optional<Products> products_;
};
INSTANTIATE_TEST_SUITE_P(Libraries, Gemm, ::testing::Values("mkl", "onednn"));

TEST_P(Gemm, MultipliesMatricesOfAnyStrides) {
  const torch::NoGradGuard no_grad;
  const auto a = torch::randn({37, 20}), b = torch::randn({20, 51});
  const auto want = at::mm(a.to(torch::kDouble), b.to(torch::kDouble));
  const auto turned = [](const at::Tensor& t) { return t.t().contiguous().t(); };
  const auto part = torch::randn({37, 40}).slice(1, 3, 23).copy_(a);
  for (const auto& left : {a, turned(a), part}) {
    for (const auto& right : {b, turned(b)}) {
      expect_close(product(left, right), want, 1e-6, "a b");
      auto y = torch::ones({37, 51});
      expect_close(add_product_(y, left, right, 1, -0.5), 1 - 0.5 * want, 1e-6, "1 - a b / 2");
      y.fill_(std::nan(""));
      expect_close(add_product_(y, left, right, 0, 2), 2 * want, 1e-6, "2 a b");
    }
  }
}

TEST_P(Gemm, MultipliesEverySampleOfABatch) {
  const torch::NoGradGuard no_grad;
  const auto a = torch::randn({3, 18, 7}), b = torch::randn({3, 7, 33}), bias = torch::randn({33});
  const auto want = at::bmm(a.to(torch::kDouble), b.to(torch::kDouble));
  const auto at = [](const at::Tensor& t) {
    return t.transpose(1, 2).contiguous().transpose(1, 2);
  };
  for (const auto& left : {a, at(a)}) {
    for (const auto& right : {b, at(b)}) {
      expect_close(batch_product(left, right), want, 1e-6, "a b");
      expect_close(add_batch_product(bias, left, right, 3), bias + 3 * want, 1e-6, "c + 3 a b");
    }
  }
  EXPECT_EQ(batch_product(a.slice(2, 0, 0), b.slice(1, 0, 0)).abs().sum().item<float>(), 0);
}

TEST_P(Gemm, LinearLayersMatchInEveryDtype) {
  const auto ours = [](const Tensors& t) { return linear_product(t[0], t[1], t[2]); };
  const auto want = [](const Tensors& t) { return at::linear(t[0], t[1], t[2]); };
  const auto without = [](const Tensors& t) { return linear_product(t[0], t[1], std::nullopt); };
  const auto want_without = [](const Tensors& t) { return at::linear(t[0], t[1]); };
  for (const auto type : op_dtypes()) {
    const auto x = torch::randn({2, 9, 12}, type), w = torch::randn({7, 12}, type);
    expect_op_matches(ours, want, {x, w, torch::randn({7}, type)}, wf::str(type), 2);
    expect_op_matches(without, want_without, {x.transpose(0, 1), w}, wf::str(type), 2);
  }
  expect_gradcheck(ours, {torch::randn({2, 3, 4}, torch::kDouble),
                          torch::randn({5, 4}, torch::kDouble), torch::randn({5}, torch::kDouble)});
}

TEST_P(Gemm, ALinearLayerHasSecondDerivatives) {
  const auto x = torch::randn({3, 4}).requires_grad_(), w = torch::randn({5, 4}).requires_grad_();
  const auto first = torch::autograd::grad({linear_product(x, w, std::nullopt).square().sum()}, {x},
                                           {}, std::nullopt, /*create_graph=*/true)[0];
  const auto second = torch::autograd::grad({first.sum()}, {w})[0];
  // d/dw of sum_ij 2 (x wᵀ w)_ij
  const auto ones = torch::ones({3, 4});
  const auto want = 2 * (w.mm(ones.t().mm(x)) + w.mm(x.t().mm(ones)));
  expect_close(second, want, 1e-5, "second derivative");
}

TEST_P(Gemm, GivesEqualBitsInEveryRun) {
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({392, 192}), w = torch::randn({768, 192}),
             dy = torch::randn({392, 768});
  EXPECT_TRUE(torch::equal(product(dy.t(), x), product(dy.t(), x)));
  EXPECT_TRUE(torch::equal(linear_product(x, w, std::nullopt), linear_product(x, w, std::nullopt)));
}

TEST(GemmChoice, AnUnknownNameIsRefused) {
  const Products products("blas");
  EXPECT_TRUE(has(error_of([] { onednn_multiplies(); }),
                  "WF_CPU_PRODUCTS: expected auto, mkl or onednn, got blas"));
}

TEST(GemmChoice, MklIsWhatLibTorchComputes) {
  const Products products("mkl");
  EXPECT_FALSE(onednn_multiplies());
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({5, 64}), w = torch::randn({32, 64}), b = torch::randn({32});
  EXPECT_TRUE(torch::equal(linear_product(x, w, b), at::linear(x, w, b)));
  EXPECT_TRUE(torch::equal(product(x, w.t()), at::mm(x, w.t())));
}

}  // namespace
}  // namespace wf::testing
