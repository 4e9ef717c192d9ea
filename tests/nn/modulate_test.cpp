#include "weightformer/nn/modulate.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

TEST(Modulate, ScalesAndShiftsEveryTokenOfASampleAlike) {
  const auto x = torch::tensor({1.0, 2.0, 3.0, 4.0}).view({2, 2, 1});
  const auto y = modulate(x, torch::tensor({{10.0}, {20.0}}), torch::tensor({{1.0}, {0.0}}));
  EXPECT_TRUE(torch::equal(y, torch::tensor({12.0, 14.0, 23.0, 24.0}).view({2, 2, 1}))) << y;
}

}  // namespace
}  // namespace wf::testing
