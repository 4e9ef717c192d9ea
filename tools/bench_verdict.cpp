#include "bench_verdict.h"

#include "weightformer/core/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace wf {
namespace {

constexpr double kTail = (1 - kBenchConfidence) / 2;

// `weights` of the values 0, 1, … of a test statistic when there is no difference: how many of the
// smallest values together have a probability of at most kTail.
size_t values_in_tail(const std::vector<double>& weights) {
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  size_t count = 0;
  while (count < weights.size() && (sum += weights[count]) <= kTail * all) ++count;
  return count;
}

// Of the sign test: C(n, k).
std::vector<double> signs(size_t n) {
  std::vector<double> weights{1};
  for (size_t k = 1; k <= n; ++k) {
    weights.push_back(weights.back() * static_cast<double>(n - k + 1) / static_cast<double>(k));
  }
  return weights;
}

// Of the rank-sum test: in how many orders of m and n numbers u of the pairs are inverted. The
// generating function is the product of (1 - x^(n + i)) / (1 - x^i) over i = 1 … m.
std::vector<double> inversions(size_t m, size_t n) {
  std::vector<double> weights(m * n + 1, 0);
  weights[0] = 1;
  for (size_t i = 1; i <= m; ++i) {
    for (size_t u = weights.size(); u-- > n + i;) weights[u] -= weights[u - n - i];
    for (size_t u = i; u < weights.size(); ++u) weights[u] += weights[u - i];
  }
  return weights;
}

RatioRange around_the_median(std::vector<double> ratios, const std::vector<double>& weights) {
  std::sort(ratios.begin(), ratios.end());
  RatioRange out{median_of(ratios), {}};
  if (const auto cut = values_in_tail(weights))
    out.range.emplace(ratios[cut - 1], ratios[ratios.size() - cut]);
  return out;
}

}  // namespace

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

RatioRange ratio_in_turn(const std::vector<double>& before, const std::vector<double>& now) {
  WF_CHECK(before.size() == now.size(), "rounds in turn: ", before.size(), " and ", now.size());
  std::vector<double> ratios;
  for (size_t i = 0; i < now.size(); ++i) ratios.push_back(now[i] / before[i]);
  return around_the_median(std::move(ratios), signs(now.size()));
}

RatioRange ratio_of_records(const std::vector<double>& before, const std::vector<double>& now) {
  std::vector<double> ratios;
  for (const double a : before) {
    for (const double b : now) ratios.push_back(b / a);
  }
  return around_the_median(std::move(ratios), inversions(before.size(), now.size()));
}

Larger larger_means(const std::string& name) {
  static const std::set<std::string> rates{
      "images_per_s_best", "images_per_s_median", "crop", "recipe", "eval", "mb_per_s"};
  static const std::set<std::string> times{
      "forward_ms", "backward_ms", "rest_ms",      "floor_ms",       "us_per_token",
      "forward_us", "both_us",     "seconds_best", "seconds_median", "data_wait"};
  static const std::set<std::string> amounts{"peak_mib", "moved_mb", "op_calls"};
  if (rates.count(name)) return Larger::faster;
  if (times.count(name)) return Larger::slower;
  return amounts.count(name) ? Larger::more : Larger::none;
}

std::string bench_verdict(const RatioRange& ratio, Larger larger) {
  if (!ratio.range) return "too few rounds to say";
  if (ratio.range->first <= 1 && 1 <= ratio.range->second) return "no difference beyond the noise";
  const bool up = ratio.middle > 1, faster = (larger == Larger::faster) == up;
  const char* word = faster ? "faster" : "slower";
  if (larger == Larger::more) word = up ? "more" : "less";
  return fmt::format("{:.1f} % {}", 100 * std::abs(ratio.middle - 1), word);
}

}  // namespace wf
