#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

#include <optional>

namespace wf {

/// Enables PyTorch's autocast during its lifetime: matrix products run in `dtype` (bfloat16 or
/// float16), operations that need range or precision in float32. Without a dtype autocast is
/// disabled.
class Autocast {
 public:
  Autocast(std::optional<at::ScalarType> dtype, c10::DeviceType device)
      : device_(device),
        enabled_before_(at::autocast::is_autocast_enabled(device)),
        dtype_before_(at::autocast::get_autocast_dtype(device)) {
    if (dtype) at::autocast::set_autocast_dtype(device_, *dtype);
    at::autocast::set_autocast_enabled(device_, dtype.has_value());
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(device_, enabled_before_);
    at::autocast::set_autocast_dtype(device_, dtype_before_);
    // In Python, the context manager clears the cache of cast weights; without that, the next step
    // would use the old ones.
    at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

  /// The autocast state of `device`, to be restored elsewhere.
  static std::optional<at::ScalarType> current(c10::DeviceType device) {
    // Tensors without data, for one, have no autocast.
    if (!at::autocast::is_autocast_available(device)) return std::nullopt;
    if (!at::autocast::is_autocast_enabled(device)) return std::nullopt;
    return at::autocast::get_autocast_dtype(device);
  }

 private:
  c10::DeviceType device_;
  bool enabled_before_;
  at::ScalarType dtype_before_;
};

/// The dtype in which matrix products take x.
inline at::ScalarType compute_type(const at::Tensor& x) {
  return Autocast::current(x.device().type()).value_or(x.scalar_type());
}

}  // namespace wf
