// Figures that need the features themselves and not only their statistics.

#include "metrics/inception_score.h"
#include "metrics/kernel_distance.h"
#include "metrics/precision_recall.h"
#include "support/errors.h"
#include "support/metric_features.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

struct Sets {
  at::Tensor a = metric_features("manifold.a", 300, 16, 1.0);
  at::Tensor b = metric_features("manifold.b", 250, 16, 1.1);
  Sets() { b.narrow(0, 0, 40).copy_(0.98 * a.narrow(0, 0, 40)); }
};

TEST(PrecisionRecall, IsThatOfTorchFidelity) {
  const Sets sets;
  const auto cases = golden_metrics()["precision_recall"];
  ASSERT_EQ(cases.size(), 2u);
  for (const auto& [neighbors, golden] : cases.items()) {
    const auto result = precision_recall(sets.a, sets.b, std::stoll(neighbors));
    EXPECT_NEAR(result.precision, golden[0], 1e-6);
    EXPECT_NEAR(result.recall, golden[1], 1e-6);
    const auto in_float =
        precision_recall(sets.a.to(torch::kFloat), sets.b.to(torch::kFloat), std::stoll(neighbors));
    EXPECT_NEAR(in_float.precision, result.precision, 0.004);
    EXPECT_NEAR(in_float.recall, result.recall, 0.004);
  }
}

TEST(PrecisionRecall, SeesMissingAndInventedModes) {
  // The reference has two clusters; the samples one of them and one of their own.
  const auto at = [](double center, int64_t count, const std::string& name) {
    return uniform_signed(name, count * 4).view({count, 4}) + center;
  };
  const auto reference = torch::cat({at(0, 60, "r0"), at(100, 40, "r1")});
  const auto samples = torch::cat({at(0, 30, "s0"), at(-100, 70, "s1")});
  const auto result = precision_recall(samples, reference);
  EXPECT_LE(result.precision, 0.3);
  EXPECT_GE(result.precision, 0.2);
  EXPECT_LE(result.recall, 0.6);
  EXPECT_GE(result.recall, 0.3);
  const auto same = precision_recall(reference, reference);
  EXPECT_EQ(same.precision, 1);
  EXPECT_EQ(same.recall, 1);
}

TEST(PrecisionRecall, TilesDoNotChangeIt) {
  // More rows than a tile has: against all distances at once.
  const auto a = metric_features("tiles.a", 1100, 6, 1.0);
  const auto b = metric_features("tiles.b", 1300, 6, 1.2);
  const auto radius = [](const at::Tensor& x) {
    return std::get<0>(torch::cdist(x, x).kthvalue(4, 1));
  };
  const auto inside = [&](const at::Tensor& x, const at::Tensor& set) {
    return (torch::cdist(x, set) <= radius(set)).any(1).to(torch::kDouble).mean().item<double>();
  };
  const auto result = precision_recall(a, b);
  EXPECT_NEAR(result.precision, inside(a, b), 1e-12);
  EXPECT_NEAR(result.recall, inside(b, a), 1e-12);
}

TEST(PrecisionRecall, NeedsMoreImagesThanNeighbors) {
  const auto few = torch::zeros({3, 4});
  EXPECT_TRUE(has(error_of([&] { precision_recall(few, few); }), "at least 4 images"));
}

TEST(KernelDistance, IsThatOfTorchFidelity) {
  const Sets sets;
  const double golden = golden_metrics()["kernel"]["250"];
  const auto a = sets.a.narrow(0, 0, 250);
  EXPECT_NEAR(polynomial_mmd2(a, sets.b), golden, 1e-10 * golden);
  const auto whole = kernel_distance(a, sets.b, {1, 250, 1});
  EXPECT_NEAR(whole.mean, golden, 1e-10 * golden);
  EXPECT_EQ(whole.std, 0);
}

TEST(KernelDistance, OfSubsetsEstimatesThatOfAll) {
  const Sets sets;
  const auto subsets = kernel_distance(sets.a, sets.b, {400, 60, 1});
  EXPECT_NEAR(subsets.mean, polynomial_mmd2(sets.a, sets.b), 5 * subsets.std / 20);
  EXPECT_GT(subsets.std, 0);
  const auto again = kernel_distance(sets.a, sets.b, {400, 60, 1});
  EXPECT_EQ(subsets.mean, again.mean);
  EXPECT_NE(subsets.mean, kernel_distance(sets.a, sets.b, {400, 60, 2}).mean);
  // Unbiased: of two halves of one set around 0.
  const auto halves = kernel_distance(sets.a.narrow(0, 0, 150), sets.a.narrow(0, 150, 150));
  EXPECT_LT(std::abs(halves.mean), 0.2 * subsets.mean);
}

TEST(InceptionScore, IsThatOfTorchFidelity) {
  const auto logits = 5 * metric_features("logits", 600, 20, 0.0);
  const auto cases = golden_metrics()["inception_score"];
  ASSERT_EQ(cases.size(), 2u);
  for (const auto& [chunk, golden] : cases.items()) {
    const auto score = inception_score(logits, std::stoll(chunk));
    EXPECT_NEAR(score.mean, golden[0], 1e-10 * golden[0].get<double>());
    EXPECT_NEAR(score.std, golden[1], 1e-10 * golden[0].get<double>());
  }
}

TEST(InceptionScore, DoesNotDependOnThePiecesThatTheImagesComeIn) {
  const auto logits = 5 * metric_features("logits", 100, 20, 0.0);
  InceptionScoreSums sums(30);
  for (const auto& part : logits.split(7)) sums.add(part);
  const auto all = inception_score(logits, 30), pieces = sums.score();
  EXPECT_NEAR(pieces.mean, all.mean, 1e-12);
  EXPECT_NEAR(pieces.std, all.std, 1e-12);
  EXPECT_GT(all.std, 0);
}

TEST(InceptionScore, GoesFromOneToTheNumberOfClasses) {
  EXPECT_NEAR(inception_score(torch::zeros({50, 10})).mean, 1, 1e-12);
  // Certain of every class in turn; the other probabilities underflow.
  EXPECT_NEAR(inception_score(2000 * torch::eye(10).repeat({5, 1})).mean, 10, 1e-9);
  // The same in chunks of one image: no variety.
  EXPECT_NEAR(inception_score(2000 * torch::eye(10), 1).mean, 1, 1e-12);
  EXPECT_TRUE(has(error_of([] { inception_score(torch::zeros({0, 10})); }), "expected logits"));
}

}  // namespace
}  // namespace wf::testing
