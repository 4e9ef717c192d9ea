#include "nn/group_norm_silu.h"

#include "support/errors.h"
#include "support/fill.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <array>

namespace wf::testing {
namespace {

torch::nn::GroupNorm norm_of(int64_t groups, int64_t channels) {
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(groups, channels).eps(1e-6));
  fill_parameters(*norm);
  return norm;
}

double largest_error(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
}

TEST(GroupNormSilu, IsGroupNormAndSiluForEverySize) {
  const torch::InferenceMode inference;
  // Batch, channels, groups, height, width: single positions, several chunks, odd widths.
  for (const auto& [batch, channels, groups, height, width] :
       {std::array<int64_t, 5>{1, 4, 2, 1, 1},
        {2, 6, 3, 5, 7},
        {1, 32, 32, 40, 23},
        {3, 33, 11, 16, 16},
        {1, 128, 32, 9, 9}}) {
    auto norm = norm_of(groups, channels);
    const auto x = 3 * filled("input.x", {batch, channels, height, width}) + 5;
    auto wide = norm_of(groups, channels);
    wide->to(torch::kDouble);
    const auto normed = wide->forward(x.to(torch::kDouble));
    EXPECT_LE(largest_error(group_norm_silu(x, *norm, true), at::silu(normed)), 3e-6) << channels;
    EXPECT_LE(largest_error(group_norm_silu(x, *norm, false), normed), 3e-6) << channels;
  }
}

TEST(GroupNormSilu, SiluHoldsFromFarBelowToFarAboveZero) {
  const torch::InferenceMode inference;
  // Two channels of -1 and 1 in one group have mean 0 and standard deviation 1; the weights scale
  // them.
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(1, 2).eps(0));
  const auto values =
      torch::tensor({-200.0, -88.0, -20.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 20.0, 200.0});
  for (int64_t i = 0; i < values.numel(); ++i) {
    norm->weight.fill_(values[i].item<float>());
    norm->bias.fill_(0);
    const auto x = torch::tensor({-1.0f, 1.0f}).view({1, 2, 1, 1});
    const auto want = at::silu(torch::tensor({-1.0, 1.0}) * values[i]).view({1, 2, 1, 1});
    const auto got = group_norm_silu(x, *norm, true);
    EXPECT_TRUE(at::allclose(got.to(torch::kDouble), want.to(torch::kDouble), 1e-6, 1e-30))
        << values[i].item<double>() << ": " << got << " for " << want;
  }
}

TEST(GroupNormSilu, AnImageDependsNeitherOnOthersNorOnThreads) {
  const torch::InferenceMode inference;
  auto norm = norm_of(4, 16);
  const auto x = filled("input.x", {3, 16, 20, 31});
  const auto all = group_norm_silu(x, *norm, true);
  EXPECT_TRUE(torch::equal(group_norm_silu(x.slice(0, 1, 2), *norm, true), all.slice(0, 1, 2)));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 3 : 1);
  EXPECT_TRUE(torch::equal(group_norm_silu(x, *norm, true), all));
  at::set_num_threads(threads);
  EXPECT_TRUE(has(error_of([&] {
                    group_norm_silu(torch::zeros({1, 8, 2, 2}), *norm, true);
                  }),
                  "group_norm_silu: expected 16 channels"));
}

}  // namespace
}  // namespace wf::testing
