#include "engine/model_cost.h"

#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

TEST(ModelCost, CountsMultiplicationsOfEachKindOfOperator) {
  const auto x = torch::rand({2, 3, 8});
  EXPECT_EQ(count_macs([&] { torch::matmul(x, torch::rand({8, 5})); }), 2 * 3 * 8 * 5);
  EXPECT_EQ(count_macs([&] { torch::bmm(x, torch::rand({2, 8, 5})); }), 2 * 3 * 8 * 5);
  EXPECT_EQ(count_macs([&] { torch::nn::Linear(8, 5)->forward(x); }), 2 * 3 * 8 * 5);
  const auto image = torch::rand({2, 4, 9, 11});
  EXPECT_EQ(count_macs([&] {
              torch::conv2d(image, torch::rand({6, 2, 3, 3}), {}, /*stride=*/2, /*padding=*/1, 1,
                            /*groups=*/2);
            }),
            2 * 6 * 5 * 6 * (2 * 3 * 3));
  EXPECT_EQ(count_macs([&] { torch::relu(x) + 1; }), 0);
}

// README has the multiplications of the published order of operations: 1.12, 4.43 and 5.02 GMAC.
// Here dynamic layers are merged or factored, whichever is faster.
TEST(ModelCost, OfThePublishedModelsDoesNotGrow) {
  const auto images = torch::zeros({1, 3, 224, 224});
  const auto cost_of = [&](const char* name) {
    const auto model = create_classifier(name);
    return model_cost(*model, [&] { model->forward(images); });
  };
  const auto tiny = cost_of("wfm_tiny"), small = cost_of("wfm_small");
  EXPECT_EQ(tiny.parameters, 7'074'184);
  EXPECT_EQ(tiny.macs, 1'149'333'888);
  EXPECT_EQ(small.parameters, 27'492'136);
  EXPECT_EQ(small.macs, 4'415'076'096);
  const auto dit = create_dit("dit_s_2");
  const auto cost = model_cost(*dit, [&] {
    dit->forward(torch::zeros({1, 4, 32, 32}), torch::zeros({1}), torch::zeros({1}, torch::kLong));
  });
  EXPECT_EQ(cost.parameters, 37'566'080);
  EXPECT_EQ(cost.macs, 5'062'508'544);
}

TEST(ModelCost, IsShownInWords) {
  EXPECT_EQ((ModelCost{7074184, 1119000000}).show(), "7,074,184 parameters, 1.12 GMAC per sample");
  EXPECT_EQ((ModelCost{999, 0}).show(), "999 parameters");
}

TEST(RequireMemoryForDepth, RefusesWhatTheMachineCannotHoldAndDrawsNothing) {
  const auto make = [](int64_t depth) {
    return make_classifier(classifier_options("wfm_nano").depth(depth));
  };
  torch::manual_seed(1);
  require_memory_for_depth(101, make);
  EXPECT_THROW(require_memory_for_depth(1'000'000'000, make), Error);
  const auto next = torch::rand({1}).item<float>();
  torch::manual_seed(1);
  EXPECT_EQ(next, torch::rand({1}).item<float>());
}

}  // namespace
}  // namespace wf::testing
