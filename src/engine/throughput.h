#pragma once

#include "weightformer/nn/mixed_precision.h"

#include <ATen/core/ATen_fwd.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace wf {

/// Samples per second of `forward`, which computes `batch` of them, in mixed precision `amp`:
/// `warmup` calls, then `timed` ones.
double samples_per_second(const std::function<void()>& forward, int64_t batch, c10::Device device,
                          const std::optional<Precision>& amp, int warmup = 50, int timed = 30);

}  // namespace wf
