#include "weightformer/nn/mixed_precision.h"

#include <ATen/autocast_mode.h>

#include <array>

namespace wf {
namespace {

// Of each device type: none where no MixedPrecision exists.
using Scope = std::optional<std::optional<Precision>>;
thread_local std::array<Scope, static_cast<size_t>(c10::COMPILE_TIME_MAX_DEVICE_TYPES)> scopes;

Scope& scope_of(c10::DeviceType device) { return scopes.at(static_cast<size_t>(device)); }

}  // namespace

MixedPrecision::MixedPrecision(const std::optional<Precision>& precision, c10::DeviceType device)
    : device_(device), before_(scope_of(device)) {
  scope_of(device) = precision;
  if (!at::autocast::is_autocast_available(device)) return;
  enabled_before_ = at::autocast::is_autocast_enabled(device);
  dtype_before_ = at::autocast::get_autocast_dtype(device);
  if (precision) at::autocast::set_autocast_dtype(device, precision->products);
  at::autocast::set_autocast_enabled(device, precision.has_value());
}

MixedPrecision::~MixedPrecision() {
  scope_of(device_) = before_;
  if (!enabled_before_) return;
  at::autocast::set_autocast_enabled(device_, *enabled_before_);
  at::autocast::set_autocast_dtype(device_, dtype_before_);
  // In Python, the context manager clears the cache of cast weights; without that, the next step
  // would use the old ones.
  at::autocast::clear_cache();
}

std::optional<Precision> MixedPrecision::current(c10::DeviceType device) {
  if (const auto& scope = scope_of(device)) return *scope;
  if (!at::autocast::is_autocast_available(device)) return std::nullopt;
  if (!at::autocast::is_autocast_enabled(device)) return std::nullopt;
  return Precision(at::autocast::get_autocast_dtype(device), TokenType::autocast);
}

}  // namespace wf
