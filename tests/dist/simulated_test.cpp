// A rank of a run whose other ranks do not exist.

#include "dist/data_parallel.h"
#include "dist/process_group.h"
#include "support/errors.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

TEST(SimulatedRanks, SumAsIfAllHadTheSameValues) {
  ProcessGroup group(simulated_rank(3, 64), c10::kCPU, {});
  auto numbers = torch::tensor({1.5, -2.0});
  group.sum(numbers);
  EXPECT_TRUE(torch::equal(numbers, torch::tensor({96.0, -128.0})));
  EXPECT_EQ(group.broadcast("text"), "text");
  EXPECT_TRUE(group.is_root()) << "it reports for all";
  bool ran = false;
  group.on_root("work", [&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(SimulatedRanks, AverageGradientsAndCountTheirBytes) {
  for (const bool compress : {false, true}) {
    torch::manual_seed(0);
    torch::nn::Linear layer(7, 5), single(7, 5);
    {
      const torch::NoGradGuard no_grad;
      single->weight.copy_(layer->weight);
      single->bias.copy_(layer->bias);
    }
    const auto group =
        std::make_shared<ProcessGroup>(simulated_rank(0, 64), c10::kCPU, GroupOptions{});
    DataParallelOptions options;
    options.compress = compress;
    DataParallel parallel(*layer, group, options);
    const auto before = group->traffic();
    const auto x = torch::rand({4, 7});
    parallel.backward(layer->forward(x).square().mean());
    single->forward(x).square().mean().backward();
    const double tolerance = compress ? 1e-2 : 1e-6;
    EXPECT_TRUE(torch::allclose(layer->weight.grad(), single->weight.grad(), tolerance, tolerance));
    const auto step = group->traffic() - before;
    ASSERT_EQ(step.size(), 1u);
    EXPECT_EQ(step.at("all-reduce").bytes, (7 * 5 + 5) * (compress ? 2 : 4));
    EXPECT_DOUBLE_EQ(bytes_sent(step, 64), 2.0 * 63 / 64 * (7 * 5 + 5) * (compress ? 2 : 4));
  }
}

TEST(SimulatedRanks, MustBeBelowTheirNumber) {
  EXPECT_EQ(error_of([] { simulated_rank(4, 4); }),
            "rank 4 of 4 processes: expected a rank below their number");
}

}  // namespace
}  // namespace wf::testing
