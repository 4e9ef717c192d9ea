#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace wf {

/// The slowest rank, for which the others wait.
struct Straggler {
  int rank = 0;
  double seconds = 0;  ///< its own work in a step, mean
  double median = 0;   ///< of all ranks' means
};

/// Collects the duration of each rank's own work and detects a rank that is much slower.
class StragglerWatch {
 public:
  /// One step: seconds by rank.
  void add(const std::vector<double>& seconds);

  /// Evaluates the steps since the last result once they amount to five seconds of work: the
  /// slowest rank, if its mean is above 1.3 times the median and 5 ms more. With two ranks the
  /// median is the faster one's.
  std::optional<Straggler> take();

 private:
  std::vector<double> sums_;
  int64_t steps_ = 0;
};

}  // namespace wf
