#include "metrics/frechet_distance.h"

#include "support/errors.h"
#include "support/metric_features.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

FeatureSums sums_of(const at::Tensor& features) {
  FeatureSums sums(features.size(1));
  sums.add(features);
  return sums;
}

FeatureStatistics statistics_of(const at::Tensor& features) {
  return sums_of(features).statistics();
}

TEST(FrechetDistance, IsThatOfSciPyAndTorchFidelity) {
  const auto cases = golden_metrics()["frechet"];
  ASSERT_EQ(cases.size(), 3u);
  for (const auto& [name, golden] : cases.items()) {
    const int64_t rows_a = golden["rows"][0], rows_b = golden["rows"][1], dim = golden["dim"];
    const auto a = statistics_of(metric_features(name + ".a", rows_a, dim, 1.0));
    const auto b = statistics_of(metric_features(name + ".b", rows_b, dim, 1.3));
    // Roots of products lose digits where a covariance has no full rank.
    const double others = name == "full_rank" ? 1e-12 : 1e-7;
    for (const auto& [reference, tolerance] : std::map<std::string, double>{
             {"scipy", others}, {"torch_fidelity", others}, {"exact", 1e-12}}) {
      const double expected = golden[reference];
      EXPECT_NEAR(frechet_distance(a, b), expected, tolerance * expected) << name << reference;
      EXPECT_NEAR(frechet_distance(b, a), expected, tolerance * expected) << name << reference;
    }
  }
}

TEST(FrechetDistance, OfASetToItselfIsZero) {
  for (const int64_t rows : {2, 30, 500}) {
    const auto a = statistics_of(metric_features("a", rows, 64, 1.0));
    EXPECT_NEAR(frechet_distance(a, a), 0, 1e-10) << rows;
  }
}

TEST(FrechetDistance, OfShiftedFeaturesIsTheSquareOfTheShift) {
  const auto x = metric_features("a", 200, 10, 1.0);
  EXPECT_NEAR(frechet_distance(statistics_of(x), statistics_of(x + 0.5)), 10 * 0.25, 1e-11);
  // Without any spread only the means are left.
  const auto point = torch::ones({5, 10});
  EXPECT_DOUBLE_EQ(frechet_distance(statistics_of(point), statistics_of(3 * point)), 40);
}

TEST(FrechetDistance, WithTheCountGivesTheHalvesAndTheLineThroughThem) {
  const auto x = metric_features("a", 401, 16, 1.0), y = metric_features("b", 300, 16, 1.0);
  const auto first = sums_of(x.narrow(0, 0, 200)), second = sums_of(x.narrow(0, 200, 201));
  const auto reference = statistics_of(y);
  const auto by_count = frechet_by_count(first, second, reference);
  EXPECT_NEAR(by_count.all, frechet_distance(statistics_of(x), reference), 1e-10);
  const double half = (frechet_distance(first.statistics(), reference) +
                       frechet_distance(second.statistics(), reference)) /
                      2;
  EXPECT_NEAR(by_count.half, half, 1e-10);
  EXPECT_NEAR(by_count.extrapolated(), 2 * by_count.all - half, 1e-10);
}

TEST(FrechetDistance, RefusesWhatIsNoGaussianInOneLine) {
  const auto a = statistics_of(metric_features("a", 50, 8, 1.0));
  const auto says = [&](const FeatureStatistics& b) {
    return error_of([&] { frechet_distance(a, b); });
  };
  EXPECT_TRUE(has(says(statistics_of(metric_features("a", 50, 9, 1.0))), "8 features against 9"));
  auto skew = a;
  skew.covariance = a.covariance.clone();
  skew.covariance[0][1] += 1;
  EXPECT_TRUE(has(says(skew), "differs from its transpose by 1"));
  EXPECT_TRUE(has(says({a.mean, -a.covariance}), "no eigenvalue below 0"));
  EXPECT_TRUE(has(says({a.mean, a.covariance / 0.0}), "not finite"));
  EXPECT_TRUE(has(says({a.mean, a.covariance[0]}), "expected a mean [D] and a covariance [D, D]"));
}

TEST(FeatureSums, OfPartsAddUpToThoseOfAll) {
  const auto x = metric_features("a", 101, 12, 1.0);
  const auto whole = statistics_of(x);
  EXPECT_EQ(whole.count, 101);
  expect_close(whole.mean, x.mean(0), 1e-14, "mean");
  expect_close(whole.covariance, x.t().cov(), 1e-12, "covariance");
  FeatureSums parts(12);
  for (const auto& part : x.split(7)) parts.add(part);
  auto rank0 = sums_of(x.narrow(0, 0, 30)), rank1 = sums_of(x.narrow(0, 30, 71));
  rank0.data() += rank1.data();
  for (const auto& sums : {parts, rank0}) {
    EXPECT_EQ(sums.count(), 101);
    expect_close(sums.statistics().covariance, whole.covariance, 1e-12, "parts");
  }
}

TEST(FeatureSums, RefuseFeaturesOfAnotherShapeAndNotFinite) {
  FeatureSums sums(3);
  EXPECT_TRUE(has(error_of([&] {
                    sums.add(torch::zeros({2, 4}));
                  }),
                  "expected [N, 3], got [2, 4]"));
  EXPECT_TRUE(has(error_of([&] { sums.add(torch::full({2, 3}, NAN)); }), "not finite"));
  sums.add(torch::zeros({1, 3}));
  EXPECT_TRUE(has(error_of([&] { sums.statistics(); }), "at least 2 images, got 1"));
  EXPECT_TRUE(has(error_of([&] { sums.add(FeatureSums(4)); }), "cannot be added"));
}

}  // namespace
}  // namespace wf::testing
