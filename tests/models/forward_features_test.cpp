#include "weightformer/core/check.h"
#include "weightformer/models/weightformer.h"
#include "weightformer/nn/block.h"

#include "nn/norm_tokens.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

std::shared_ptr<WeightFormerImpl> nano_classifier(bool recompute = false) {
  auto model =
      std::make_shared<WeightFormerImpl>(classifier_options("wfm_nano").recompute(recompute));
  fill_parameters(*model);
  return model;
}

// The blocks one after the other, by their own forward(), before the norm of the head.
std::vector<at::Tensor> grids_by_hand(WeightFormerImpl& model, const at::Tensor& images) {
  auto [x, grid] = model.patch_embed->forward(images);
  x = norm_tokens(*model.init_norm, x);
  std::vector<at::Tensor> grids;
  for (size_t i = 0; i < model.blocks->size(); ++i) {
    x = model.blocks->ptr<BlockImpl>(i)->forward(x, grid);
    grids.push_back(x.reshape({x.size(0), grid.height, grid.width, x.size(2)}).clone());
  }
  return grids;
}

TEST(ForwardFeatures, AreTheTokensOfTheBlocksThatAreAskedFor) {
  const auto model = nano_classifier();
  model->eval();
  for (const bool gradients : {false, true}) {
    const at::AutoGradMode mode(gradients);
    const auto images = filled("input.x", {2, 3, 72, 56});
    const auto expected = grids_by_hand(*model, images);
    const auto plain =
        model->forward_features(images, FeatureOptions().blocks({3, -5, 3, -1}).norm(false));
    const auto normed = model->forward_features(images, FeatureOptions().blocks({1}));
    ASSERT_EQ(plain.size(), 4u);
    const int64_t patch = model->options.patch_size(), dim = model->options.dim();
    EXPECT_EQ(plain[0].sizes(), at::IntArrayRef({2, 72 / patch, 56 / patch, dim}));
    EXPECT_TRUE(torch::equal(plain[0], expected[3])) << gradients;
    EXPECT_TRUE(torch::equal(plain[1], expected[0])) << gradients;
    EXPECT_TRUE(torch::equal(plain[2], expected[3])) << gradients;
    EXPECT_TRUE(torch::equal(plain[3], expected[4])) << gradients;
    const auto last = norm_tokens(*model->norm, expected[1].flatten(1, 2)).view_as(expected[1]);
    EXPECT_TRUE(torch::equal(normed.at(0), last)) << gradients;
  }
}

TEST(ForwardFeatures, TheMeanOfTheLastGridIsWhatTheHeadSees) {
  const auto model = nano_classifier();
  model->eval();
  const torch::InferenceMode inference;
  const auto images = filled("input.x", {2, 3, 40, 88});
  const auto grid = model->forward_features(images, FeatureOptions()).at(0);
  expect_close(grid.mean({1, 2}), model->features(images), kLogitTolerance, "features");
}

// The first block has only a 3 x 3 convolution, so one patch changes its neighbors only.
TEST(ForwardFeatures, RowsAndColumnsAreThoseOfTheImage) {
  const auto model = nano_classifier();
  model->eval();
  const torch::InferenceMode inference;
  const int64_t patch = model->options.patch_size(), rows = 4, columns = 7;
  const auto first = [&](const at::Tensor& images) {
    return model->forward_features(images, FeatureOptions().blocks({0}).norm(false)).at(0);
  };
  const auto images = filled("input.x", {1, 3, rows * patch, columns * patch});
  auto changed = images.clone();
  changed.slice(2, 0, patch).slice(3, (columns - 1) * patch).add_(1);  // the upper right patch
  const auto different = (first(images) - first(changed)).abs().amax(3)[0].gt(0);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      EXPECT_EQ(different[row][column].item<bool>(), row <= 1 && column >= columns - 2)
          << row << ", " << column;
    }
  }
}

TEST(ForwardFeatures, HaveGradientsAndDoNotComputeLaterBlocks) {
  for (const bool recompute : {false, true}) {
    const auto model = nano_classifier(recompute);
    model->train();
    auto images = filled("input.x", {1, 3, 64, 64}).requires_grad_();
    const auto grid = model->forward_features(images, FeatureOptions().blocks({2})).at(0);
    grid.square().sum().backward();
    EXPECT_GT(images.grad().abs().sum().item<double>(), 0);
    for (const auto& item : model->named_parameters()) {
      const auto& name = item.key();
      const bool later = name.rfind("blocks.3", 0) == 0 || name.rfind("blocks.4", 0) == 0 ||
                         name.rfind("head", 0) == 0;
      EXPECT_EQ(item.value().grad().defined(), !later) << name;
    }
  }
}

std::string message_for_blocks(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(ForwardFeatures, ABlockThatIsNotThereIsNamed) {
  const auto model = nano_classifier();
  const auto images = torch::zeros({1, 3, 64, 64});
  EXPECT_EQ(message_for_blocks([&] {
              model->forward_features(images, FeatureOptions().blocks({0, 5}));
            }),
            "forward_features: block 5: this model has the blocks 0 to 4 (or -5 to -1)");
  EXPECT_EQ(
      message_for_blocks([&] { model->forward_features(images, FeatureOptions().blocks({-6})); }),
      "forward_features: block -6: this model has the blocks 0 to 4 (or -5 to -1)");
  EXPECT_EQ(
      message_for_blocks([&] { model->forward_features(images, FeatureOptions().blocks({})); }),
      "forward_features: no block is asked for");
}

}  // namespace
}  // namespace wf::testing
