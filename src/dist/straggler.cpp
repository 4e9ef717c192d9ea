#include "dist/straggler.h"

#include <algorithm>
#include <utility>

namespace wf {
namespace {

constexpr double kRatio = 1.3, kSeconds = 0.005;  // below these it is noise
constexpr double kWindow = 5;  // seconds of work: on a busy machine single steps are noisy

}  // namespace

void StragglerWatch::add(const std::vector<double>& seconds) {
  sums_.resize(std::max(sums_.size(), seconds.size()));
  for (size_t rank = 0; rank < seconds.size(); ++rank) sums_[rank] += seconds[rank];
  ++steps_;
}

std::optional<Straggler> StragglerWatch::take() {
  if (sums_.empty() || *std::max_element(sums_.begin(), sums_.end()) < kWindow) return std::nullopt;
  const auto sums = std::exchange(sums_, {});
  const auto steps = static_cast<double>(std::exchange(steps_, 0));
  if (sums.size() < 2 || steps == 0) return std::nullopt;
  auto sorted = sums;
  std::sort(sorted.begin(), sorted.end());
  Straggler found;
  found.rank = static_cast<int>(std::max_element(sums.begin(), sums.end()) - sums.begin());
  found.seconds = sorted.back() / steps;
  found.median = sorted[(sorted.size() - 1) / 2] / steps;
  if (found.seconds < kRatio * found.median || found.seconds < found.median + kSeconds) {
    return std::nullopt;
  }
  return found;
}

}  // namespace wf
