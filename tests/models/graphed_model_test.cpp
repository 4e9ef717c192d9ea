#include "weightformer/models/graphed_model.h"

#include "weightformer/core/check.h"
#include "weightformer/models/weightformer.h"

#include "support/cpu_graphs.h"
#include "support/errors.h"
#include "support/fill.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

std::shared_ptr<Classifier> small_classifier() {
  const auto model = create_classifier("wfm_nano");
  fill_parameters(*model);
  model->eval();
  return model;
}

at::Tensor images(int i, int64_t batch = 1) { return filled(str("input.", i), {batch, 3, 64, 64}); }

at::Tensor logits_of(Classifier& model, const at::Tensor& x) {
  const torch::InferenceMode inference;
  return model.forward(x);
}

TEST(GraphedModel, OnACpuIsTheModelItself) {
  const auto model = small_classifier();
  GraphedModel graphed(model);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(torch::equal(graphed.forward(images(i)), logits_of(*model, images(i))));
  }
  EXPECT_EQ(graphed.graphs(), 0);
}

TEST(GraphedModel, ComputesTheLogitsOfTheModelForEveryShapeAndWeight) {
  const CpuGraphs graphs;
  const auto model = small_classifier();
  GraphedModel graphed(model);
  const auto check = [&](int64_t batch) {
    for (int i = 0; i < 4; ++i) {
      const auto x = images(i, batch);
      EXPECT_TRUE(torch::equal(graphed.forward(x), logits_of(*model, x))) << i;
    }
  };
  check(1);
  check(3);
  EXPECT_EQ(graphed.graphs(), 2);
  const torch::NoGradGuard no_grad;
  model->parameters().back().add_(1);  // in place
  check(1);
  EXPECT_EQ(graphed.graphs(), 2);
  auto moved = model->parameters()[0];
  moved.set_data(moved.clone() * 2);
  check(1);
  EXPECT_EQ(graphed.graphs(), 1) << "recorded again";
}

TEST(GraphedModel, TakesAPrecisionAndReturnsFloat32) {
  const auto model = small_classifier();
  GraphedModel graphed(model, Precision(torch::kBFloat16));
  const auto logits = graphed.forward(images(0));
  EXPECT_EQ(logits.scalar_type(), torch::kFloat);
  const auto exact = logits_of(*model, images(0));
  EXPECT_FALSE(torch::equal(logits, exact));
  EXPECT_LT((logits - exact).norm().item<double>(), 0.1 * exact.norm().item<double>());
}

TEST(GraphedModel, RefusesAModelInTrainingMode) {
  const auto model = small_classifier();
  model->train();
  EXPECT_EQ(error_of([&] { GraphedModel graphed(model); }),
            "GraphedModel: expected a model in evaluation mode: eval()");
}

}  // namespace
}  // namespace wf::testing
