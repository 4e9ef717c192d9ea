#include "data/augment/soft_targets.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

TEST(SoftTargets, SmoothingSpreadsItsPartOverAllClasses) {
  const auto labels = torch::tensor({2, 0}, torch::kLong);
  const auto expected = torch::tensor({{0.05f, 0.05f, 0.85f, 0.05f}, {0.85f, 0.05f, 0.05f, 0.05f}});
  EXPECT_TRUE(torch::allclose(smoothed_one_hot(labels, 4, 0.2), expected));
  EXPECT_TRUE(
      torch::equal(smoothed_one_hot(labels, 4, 0), torch::one_hot(labels, 4).to(torch::kFloat)));
}

}  // namespace
}  // namespace wf::testing
