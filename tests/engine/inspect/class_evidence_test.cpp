#include "engine/inspect/class_evidence.h"

#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

TEST(ClassEvidence, SumsToTheLogitOfEveryClass) {
  for (const char* name : {"wfm_nano", "wfm_tiny", "wfm_small"}) {
    for (const auto& [height, width] : {std::pair{64, 64}, {96, 48}, {50, 71}}) {
      WeightFormer model(classifier_options(name).num_classes(7));
      fill_parameters(*model);
      const auto x = filled("input.x", {2, 3, height, width});
      const auto evidence = class_evidence(*model, x);
      const int64_t patch = model->options.patch_size();
      ASSERT_EQ(evidence.maps.sizes(), at::IntArrayRef({2, 7, height / patch, width / patch}));
      model->eval();
      const auto logits = model->forward(x);
      expect_close(evidence.maps.sum({2, 3}) + evidence.bias, logits, 1e-5, name);
      expect_close(evidence.logits, logits, 1e-5, name);
    }
  }
}

// What Grad-CAM weighs the channels by is the gradient of the logit, here the head's row / N.
TEST(ClassEvidence, IsTheGradientTimesTheTokens) {
  WeightFormer model(classifier_options("wfm_nano"));
  fill_parameters(*model);
  model->eval();
  const auto x = filled("input.x", {1, 3, 64, 96});
  auto tokens = model->tokens(x).first.detach().requires_grad_();
  const auto logit = model->head->forward(tokens.mean(1))[0][3];
  const auto gradient = torch::autograd::grad({logit}, {tokens})[0];
  const auto map = (gradient * tokens).sum(2).view({8, 12});
  expect_close(class_evidence(*model, x).maps[0][3], map, 1e-5, "map");
}

}  // namespace
}  // namespace wf::testing
