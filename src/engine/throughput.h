#pragma once

#include <ATen/core/ATen_fwd.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace wf {

/// Samples per second of `forward`, which computes `batch` of them, under autocast in `amp`:
/// `warmup` calls, then `timed` ones.
double samples_per_second(const std::function<void()>& forward, int64_t batch, c10::Device device,
                          std::optional<at::ScalarType> amp, int warmup = 50, int timed = 30);

}  // namespace wf
