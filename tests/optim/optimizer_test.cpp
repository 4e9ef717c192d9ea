#include "weightformer/optim/optimizer.h"

#include "weightformer/core/check.h"
#include "weightformer/models/model.h"
#include "weightformer/optim/ema.h"
#include "weightformer/optim/grad_scaler.h"

#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace wf::testing {
namespace {

namespace F = torch::nn::functional;

TEST(Optimizer, TenStepsOfThePublishedRecipeMatch) {
  const auto file = golden("training/ten_steps_wfm_nano.safetensors");
  const auto model = create_classifier("wfm_nano");
  fill_parameters(*model);
  const auto optimizer = make_optimizer({}, param_groups(*model, 0.05));
  const auto x = filled("input.x", {8, 3, 64, 64});
  const auto labels = torch::arange(8) % 10;
  const auto rates = file.tensors.at("lr").to(torch::kDouble);
  std::vector<at::Tensor> losses, norms;
  for (int64_t step = 0; step < 10; ++step) {
    optimizer->zero_grad();
    const auto loss = F::cross_entropy(model->forward(x), labels,
                                       F::CrossEntropyFuncOptions().label_smoothing(0.1));
    loss.backward();
    norms.push_back(grad_norm(optimizer->groups()));
    clip_gradients(optimizer->groups(), norms.back(), 5.0);
    optimizer->step(rates[step].item<double>());
    losses.push_back(loss.detach());
  }
  expect_close(torch::stack(losses), file.tensors.at("loss"), kTrainingTolerance, "losses");
  expect_close(torch::stack(norms), file.tensors.at("grad_norm"), kTrainingTolerance, "norms");
  for (const auto& item : model->named_parameters()) {
    expect_close(item.value(), file.tensors.at("final." + item.key()), kTrainingTolerance,
                 item.key());
  }
}

TEST(Optimizer, SgdIsPyTorchsWithNesterov) {
  torch::nn::Linear ours(4, 3), theirs(4, 3);
  fill_parameters(*ours);
  fill_parameters(*theirs);
  OptimizerOptions options;
  options.kind = OptimizerKind::sgd;
  const auto optimizer = make_optimizer(options, param_groups(*ours, 0.0));
  torch::optim::SGD reference(theirs->parameters(),
                              torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true));
  const auto x = filled("input.x", {5, 4});
  for (int step = 0; step < 4; ++step) {
    for (auto* layer : {&ours, &theirs}) {
      (*layer)->zero_grad();
      (*layer)->forward(x).square().sum().backward();
    }
    optimizer->step(0.1);
    reference.step();
  }
  expect_close(ours->weight, theirs->weight, 1e-6, "weight");
}

TEST(ParamGroups, VectorsAndBiasesDoNotDecay) {
  const auto model = create_classifier("wfm_nano");
  const auto groups = param_groups(*model, 0.05);
  const auto has = [](const ParamGroup& group, const std::string& name) {
    return std::find(group.names.begin(), group.names.end(), name) != group.names.end();
  };
  EXPECT_EQ(groups[0].weight_decay, 0.05);
  EXPECT_EQ(groups[1].weight_decay, 0.0);
  for (const char* name : {"head.weight", "blocks.1.linear1.w1", "blocks.1.dwc.w"}) {
    EXPECT_TRUE(has(groups[0], name)) << name;
  }
  for (const char* name : {"head.bias", "norm.weight", "blocks.1.linear1.b", "blocks.1.dwc.b"}) {
    EXPECT_TRUE(has(groups[1], name)) << name;
  }
  EXPECT_EQ(groups[0].params.size() + groups[1].params.size(), model->parameters().size());
}

TEST(ParamGroups, WeightDecayIsForMatricesThatAreNoBias) {
  EXPECT_TRUE(uses_weight_decay("head.weight", 2));
  EXPECT_TRUE(uses_weight_decay("module.head.weight", 4));
  EXPECT_FALSE(uses_weight_decay("norm.weight", 1));
  EXPECT_FALSE(uses_weight_decay("head.bias", 2));
}

TEST(ParamGroups, LayerDecayMakesEachLayerSlowerThanTheOneAbove) {
  const auto model = create_classifier("wfm_nano");  // five blocks: layers 0 to 6
  const auto groups = param_groups(
      *model, 0.05, 0.5, [&](const std::string& name) { return model->layer_index(name); });
  std::map<std::string, double> scale;
  size_t count = 0;
  for (const auto& group : groups) {
    for (const auto& name : group.names) scale[name] = group.lr_scale;
    count += group.names.size();
  }
  EXPECT_EQ(count, model->parameters().size());
  EXPECT_DOUBLE_EQ(scale.at("head.weight"), 1);
  EXPECT_DOUBLE_EQ(scale.at("norm.bias"), 1);
  EXPECT_DOUBLE_EQ(scale.at("blocks.4.linear2.weight"), 0.5);
  EXPECT_DOUBLE_EQ(scale.at("blocks.0.linear2.bias"), std::pow(0.5, 5));
  EXPECT_DOUBLE_EQ(scale.at("patch_embed.proj.weight"), std::pow(0.5, 6));
}

TEST(ParamGroups, FrozenParametersAreNamedAndLeftOut) {
  const auto model = create_classifier("wfm_nano");
  const auto before = model->parameters().size();
  EXPECT_EQ(freeze(*model, "patch_embed, blocks.0,head.bias"), 2 + 10 - 2 + 1);
  size_t left = 0;
  for (const auto& group : param_groups(*model, 0.05)) {
    for (const auto& name : group.names) {
      EXPECT_NE(name.rfind("blocks.0.", 0), 0u) << name;
      ++left;
    }
  }
  EXPECT_EQ(left, before - 11);
  EXPECT_THROW(freeze(*model, "block.0"), Error);
  EXPECT_THROW(freeze(*model, "patch_embed,init_norm,blocks,norm,head"), Error);
}

TEST(GradScaler, ScalesUnscalesAndMovesAsPyTorchsDoes) {
  GradScalerOptions options;
  options.init_scale = 8;
  options.growth_interval = 2;
  GradScaler scaler(torch::kCPU, options);
  auto weight = torch::ones({3}, torch::requires_grad());
  const std::vector<ParamGroup> groups = {{{"weight"}, {weight}, 0}};
  const auto optimizer = make_optimizer({}, groups);
  const auto step = [&](double slope) {
    optimizer->zero_grad();
    scaler.scale((weight * slope).sum()).backward();
    const auto found_inf = scaler.unscale(groups);
    if (std::isfinite(slope)) {
      EXPECT_EQ(weight.grad()[0].item<double>(), slope);
    }
    optimizer->step(0.1, found_inf);
    scaler.update(found_inf);
  };
  step(2);
  EXPECT_EQ(scaler.current(), 8);
  step(3);
  EXPECT_EQ(scaler.current(), 16) << "two good steps in a row";
  const auto before = weight.detach().clone();
  step(INFINITY);
  EXPECT_EQ(scaler.current(), 8);
  EXPECT_TRUE(torch::equal(before, weight)) << "the step was to be left out";
  EXPECT_EQ(optimizer->state()["step.weight"].item<double>(), 2);

  GradScaler other(torch::kCPU);
  other.load_state(scaler.state(), "test");
  EXPECT_EQ(other.current(), 8);
  EXPECT_THROW(other.load_state({}, "test"), Error);
}

TEST(Ema, FollowsTheWeightsAndExchangesPlacesWithThem) {
  const torch::nn::Linear layer(2, 2);
  const auto start = layer->weight.detach().clone();
  Ema ema(*layer, 0.75);
  {
    const torch::NoGradGuard no_grad;
    layer->weight.add_(4);
  }
  ema.update(1);
  const auto average = start * 0.75 + (start + 4) * 0.25;
  EXPECT_TRUE(torch::allclose(ema.state()["weight"], average));
  const void* place = layer->weight.data_ptr();
  {
    const EmaScope swapped(&ema);
    EXPECT_TRUE(torch::allclose(layer->weight, average));
    EXPECT_EQ(layer->weight.data_ptr(), place);
  }
  EXPECT_TRUE(torch::allclose(layer->weight, start + 4));

  Ema other(*layer, 0.5);
  other.load_state(ema.state(), "test");
  EXPECT_TRUE(torch::equal(other.state()["weight"], ema.state()["weight"]));
  EXPECT_THROW(other.load_state({}, "test"), Error);
  ema.reset();
  EXPECT_TRUE(torch::equal(ema.state()["weight"], layer->weight));
}

TEST(EmaRule, OfAPowerFunctionHasTheWidthItIsNamedFor) {
  // The exponents of Karras et al. 2024: 6.94 for a width of 0.10, 16.97 for 0.05.
  EXPECT_NEAR(EmaRule::power(0.10).decay(100), std::pow(0.99, 7.94), 1e-4);
  EXPECT_NEAR(EmaRule::power(0.05).decay(100), std::pow(0.99, 17.97), 1e-4);
  constexpr int64_t kSteps = 2000;
  for (const double width : {0.05, 0.1, 0.25}) {
    const auto rule = EmaRule::power(width);
    EXPECT_EQ(rule.decay(1), 0);  // the fresh weights are forgotten at once
    std::vector<double> weights;  // of each step in the average
    for (int64_t step = 1; step <= kSteps; ++step) {
      for (auto& weight : weights) weight *= rule.decay(step);
      weights.push_back(1 - rule.decay(step));
    }
    double sum = 0, mean = 0, square = 0;
    for (int64_t i = 0; i < kSteps; ++i) {
      const double t = static_cast<double>(i + 1) / kSteps;
      sum += weights[i];
      mean += weights[i] * t;
      square += weights[i] * t * t;
    }
    EXPECT_NEAR(sum, 1, 1e-9);
    EXPECT_NEAR(std::sqrt(square - mean * mean), width, 0.002);
  }
}

TEST(Optimizer, StateOfAnotherModelIsRefused) {
  const auto nano = create_classifier("wfm_nano");
  const auto other = make_classifier(classifier_options("wfm_nano").num_classes(3));
  const auto optimizer = make_optimizer({}, param_groups(*nano, 0.05));
  const auto state = make_optimizer({}, param_groups(*other, 0.05))->state();
  try {
    optimizer->load_state(state, "f.pth");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "f.pth: optimizer state exp_avg.head.bias is [3], expected [10]");
  }
}

}  // namespace
}  // namespace wf::testing
