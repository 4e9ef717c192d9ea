#include "weightformer/optim/optimizer.h"

#include "weightformer/core/check.h"
#include "weightformer/models/model.h"

#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>

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
  options.name = "sgd";
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

TEST(Optimizer, StateOfAnotherModelIsRefused) {
  const auto nano = create_classifier("wfm_nano");
  ClassifierOverrides overrides;
  overrides.num_classes = 3;
  const auto other = create_classifier("wfm_nano", overrides);
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
