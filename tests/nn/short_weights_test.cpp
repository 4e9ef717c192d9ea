#include "weightformer/nn/short_weights.h"

#include "weightformer/models/weightformer.h"
#include "weightformer/nn/mixed_precision.h"

#include "support/fill.h"
#include "support/recorded_ops.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

struct Steps {
  std::vector<at::Tensor> weights;
  int64_t casts = 0;  // in the last step
};

// Three steps of plain gradient descent.
Steps train(ShortWeights* weights, bool recompute) {
  const auto model =
      std::make_shared<WeightFormerImpl>(classifier_options("wfm_nano").recompute(recompute));
  fill_parameters(*model);
  model->train();
  Steps out;
  for (int step = 0; step < 3; ++step) {
    model->zero_grad();
    out.casts = 0;
    at::Tensor logits;
    const auto ops = recorded_ops([&] {
      const MixedPrecision mixed(torch::kBFloat16, torch::kCPU);
      const ShortWeights::Scope scope(weights);
      logits = model->forward(filled("input.x", {2, 3, 64, 64}));
    });
    for (const auto& op : ops) out.casts += op.name == "aten::_to_copy";
    logits.to(torch::kFloat).square().mean().backward();
    const torch::NoGradGuard no_grad;
    for (const auto& p : model->parameters()) {
      EXPECT_EQ(p.grad().scalar_type(), torch::kFloat);
      at::Tensor(p).sub_(0.1 * p.grad());
    }
  }
  for (const auto& p : model->parameters()) out.weights.push_back(p.detach());
  return out;
}

TEST(ShortWeights, TrainTheSameWeightsWithFewerCasts) {
  for (const bool recompute : {false, true}) {
    ShortWeights shorts;
    const auto plain = train(nullptr, recompute), with = train(&shorts, recompute);
    ASSERT_EQ(with.weights.size(), plain.weights.size());
    for (size_t i = 0; i < plain.weights.size(); ++i) {
      EXPECT_TRUE(torch::equal(with.weights[i], plain.weights[i])) << i;
    }
    if (recompute) continue;  // whose forward pass has no gradients
    EXPECT_GT(shorts.size(), 20);
    EXPECT_EQ(plain.casts - with.casts, shorts.size());
  }
}

TEST(ShortWeights, FollowWhoeverWritesTheWeights) {
  ShortWeights shorts;
  const auto weight = torch::ones({3}).requires_grad_();
  for (const double value : {1.0, 2.0, 2.0, 5.0}) {
    {
      const torch::NoGradGuard no_grad;
      if (weight[0].item<double>() != value) weight.fill_(value);
    }
    const ShortWeights::Scope scope(&shorts);
    const auto copy = ShortWeights::cast(weight, torch::kBFloat16);
    EXPECT_EQ(copy.scalar_type(), torch::kBFloat16);
    EXPECT_EQ(copy[1].item<double>(), value);
    copy.sum().backward();
  }
  EXPECT_EQ(shorts.size(), 1);
  EXPECT_TRUE(torch::equal(weight.grad(), torch::full({3}, 4.0)));
}

TEST(ShortWeights, AreOnlyForTrainedParametersInTheirScope) {
  ShortWeights shorts;
  const auto weight = torch::ones({3}).requires_grad_();
  ShortWeights::cast(weight, torch::kBFloat16);
  const ShortWeights::Scope scope(&shorts);
  ShortWeights::cast(weight * 2, torch::kBFloat16);
  ShortWeights::cast(torch::ones({3}), torch::kBFloat16);
  const torch::NoGradGuard no_grad;
  ShortWeights::cast(weight, torch::kBFloat16);
  EXPECT_EQ(shorts.size(), 0);
}

}  // namespace
}  // namespace wf::testing
