#pragma once

#include "weightformer/engine/metrics.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace wf {

class Distributed;

/// Sums of losses by the quarter of the process that their times are in. A bad schedule is visible
/// here first.
class LossByTime {
 public:
  explicit LossByTime(c10::Device device);

  /// u: [N] float64 on the host, fractions of the process; losses: [N] on the device. Non-finite
  /// losses are not counted. Does not synchronize with the device.
  void add(const at::Tensor& u, const at::Tensor& losses);

  /// Moves the sums since the last call, reduced over the ranks, into window().
  void reduce(Distributed& ranks);

  /// [4, 2] float64 on the host: sum and number of the losses of each quarter since take().
  const at::Tensor& window() const { return window_; }

  double mean() const;
  double count() const;

  /// The mean of each quarter of window() that has any, as `specs`, and starts a new window.
  void take(const MetricSpec (&specs)[4], Metrics& into);

 private:
  at::Tensor added_, window_;
};

}  // namespace wf
