// Whether two series of measurements differ by more than their noise, for wf_bench --compare.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace wf {

/// How often a range holds the true ratio, at least.
inline constexpr double kBenchConfidence = 0.99;

/// The ratio of two figures.
struct RatioRange {
  double middle = 1;
  /// The range of kBenchConfidence; nullopt where there are too few rounds for one.
  std::optional<std::pair<double, double>> range;
};

/// The ratio now / before of rounds that ran in turn: the median of the ratios within each round,
/// and the order statistics around it that the sign test gives; at least 8 rounds. Both have the
/// same length and positive numbers.
RatioRange ratio_in_turn(const std::vector<double>& before, const std::vector<double>& now);

/// The same of rounds measured at two different times: the median of the ratios of all pairs
/// (Hodges and Lehmann 1963), with the range of the rank-sum test (Mann and Whitney 1947); at least
/// 5 rounds on each side.
RatioRange ratio_of_records(const std::vector<double>& before, const std::vector<double>& now);

/// What a larger number of a figure means.
enum class Larger { faster, slower, more, none };

/// That of the figure `name` of wf_bench's lines; none: a setting, or nothing to compare.
Larger larger_means(const std::string& name);

/// In words: "12.1 % slower", "no difference beyond the noise", "too few rounds to say".
std::string bench_verdict(const RatioRange& ratio, Larger larger);

/// Of at least one value.
double median_of(std::vector<double> values);

}  // namespace wf
