#include "metrics/statistics_file.h"

#include "core/npz.h"
#include "support/errors.h"
#include "support/metric_features.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

FeatureStatistics statistics_of(int64_t dim) {
  FeatureSums sums(dim);
  sums.add(metric_features("a", 20, dim, 1.0));
  return sums.statistics();
}

TEST(StatisticsFile, ReadsWhatItWrites) {
  const TempDir directory;
  const auto path = directory / "a.npz";
  const StatisticsFile written{
      statistics_of(4), statistics_of(3), {{"input", "x"}, {"images", "20"}}};
  write_statistics(path, written);
  EXPECT_TRUE(has_statistics(path));
  const auto read = read_statistics(path);
  EXPECT_TRUE(torch::equal(read.pooled.mean, written.pooled.mean));
  EXPECT_TRUE(torch::equal(read.spatial->covariance, written.spatial->covariance));
  EXPECT_EQ(read.pooled.count, 20);
  EXPECT_EQ(read.settings, written.settings);
}

TEST(StatisticsFile, ReadsThoseOfOtherProgramsInAnyFloatType) {
  const TempDir directory;
  const auto path = directory / "a.npz";
  const auto own = statistics_of(4);
  write_npz(path, {{{"mu", own.mean.to(torch::kFloat)}, {"sigma", own.covariance}}});
  const auto read = read_statistics(path);
  EXPECT_EQ(read.pooled.mean.scalar_type(), torch::kDouble);
  EXPECT_FALSE(read.spatial.has_value());
  EXPECT_EQ(read.pooled.count, 0);
  EXPECT_TRUE(read.settings.empty());
}

TEST(StatisticsFile, NamesWhatIsMissing) {
  const TempDir directory;
  const auto path = directory / "a.npz";
  const auto says = [&](const std::map<std::string, at::Tensor>& arrays) {
    write_npz(path, {arrays});
    return error_of([&] { read_statistics(path); });
  };
  const auto mu = torch::zeros(4), sigma = torch::eye(4);
  EXPECT_TRUE(has(says({{"mu", mu}}), "need the arrays mu and sigma, and it has mu"));
  EXPECT_TRUE(has(says({{"mu", mu}, {"sigma", sigma[0]}}),
                  "expected mu [D] and sigma [D, D], got [4] and [4]"));
  EXPECT_TRUE(has(says({{"mu", mu}, {"sigma", sigma}, {"mu_s", mu}}), "mu_s and sigma_s"));
  EXPECT_TRUE(has(says({{"mu", mu}, {"sigma", sigma}, {"count", mu}}), "count is an array [4]"));
  write_npz(path, {{{"arr_0", mu}}});
  EXPECT_FALSE(has_statistics(path));
}

TEST(StatisticsFile, DifferencesOfSettingsAreNamed) {
  EXPECT_EQ(differences({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {{"b", "2"}, {"a", "0"}, {"d", "4"}}),
            (std::vector<std::string>{"a: 1 / 0", "c: 3 / -", "d: - / 4"}));
}

}  // namespace
}  // namespace wf::testing
