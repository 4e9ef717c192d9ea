#include "weightformer/core/graphed_function.h"

#include "support/cpu_graphs.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

using Tensors = GraphedFunction::Tensors;

// Twice the first input and the sum of both, and how often it ran.
struct Toy {
  int runs = 0;
  GraphedFunction function{[this](const Tensors& in) {
    ++runs;
    return Tensors{in[0] * 2, in[0] + in[1]};
  }};

  void expect_right(int64_t size, double value) {
    const auto a = torch::full({size}, value), b = torch::full({size}, 0.5);
    const auto out = function({a, b});
    ASSERT_EQ(out.size(), 2u);
    EXPECT_TRUE(torch::equal(out[0], a * 2)) << value;
    EXPECT_TRUE(torch::equal(out[1], a + b)) << value;
  }
};

TEST(GraphedFunction, WithoutGraphsRunsTheFunctionItself) {
  Toy toy;
  for (int i = 0; i < 5; ++i) toy.expect_right(3, i);
  EXPECT_EQ(toy.runs, 5);
  EXPECT_EQ(toy.function.graphs(), 0);
}

TEST(GraphedFunction, RecordsOnceForEachShapeAndThenReplays) {
  const CpuGraphs graphs;
  Toy toy;
  for (int i = 0; i < 6; ++i) toy.expect_right(3, i);
  EXPECT_EQ(CpuGraphs::counts().recorded, 1);
  EXPECT_EQ(CpuGraphs::counts().replayed, 4);  // after two calls that warm up
  for (int i = 0; i < 3; ++i) toy.expect_right(4, i);
  EXPECT_EQ(toy.function.graphs(), 2);
  toy.expect_right(3, 9);
  EXPECT_EQ(CpuGraphs::counts().recorded, 2);
  toy.function.forget();
  EXPECT_EQ(toy.function.graphs(), 0);
  toy.expect_right(3, 10);
  EXPECT_EQ(CpuGraphs::counts().recorded, 2);
}

TEST(GraphedFunction, ResultsAreNotOverwrittenByLaterCalls) {
  const CpuGraphs graphs;
  Toy toy;
  std::vector<at::Tensor> kept;
  for (int i = 0; i < 5; ++i) {
    kept.push_back(toy.function({torch::full({2}, i), torch::zeros({2})})[0]);
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(kept[i][0].item<int>(), 2 * i);
}

TEST(GraphedFunction, RunsTheFunctionForMoreShapesThanItKeepsAndWithGradients) {
  const CpuGraphs graphs;
  Toy toy;
  for (int64_t size = 1; size <= GraphedFunction::kMostGraphs + 2; ++size) {
    for (int i = 0; i < 4; ++i) toy.expect_right(size, i);
  }
  EXPECT_EQ(toy.function.graphs(), GraphedFunction::kMostGraphs);
  const auto x = torch::ones({1}).requires_grad_();
  EXPECT_TRUE(toy.function({x, x})[0].requires_grad());
}

TEST(GraphedFunction, TakesTensorsOfInferenceModeAndOthersInTurn) {
  const CpuGraphs graphs;
  Toy toy;
  for (int i = 0; i < 4; ++i) {
    const torch::InferenceMode inference(i % 2 == 0);
    toy.expect_right(3, i);
  }
  toy.expect_right(3, 4);
}

}  // namespace
}  // namespace wf::testing
