#pragma once

#include <ATen/autocast_mode.h>

namespace wf {

/// Runs what follows in bfloat16 where that is safe (PyTorch's autocast), for as long as it lives.
class Autocast {
 public:
  Autocast(bool enabled, c10::DeviceType device)
      : device_(device), before_(at::autocast::is_autocast_enabled(device)) {
    if (enabled) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_enabled(device_, enabled);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(device_, before_);
    // Outside Python nobody else empties the cache of cast weights, and the next step would run
    // with the old ones.
    at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType device_;
  bool before_;
};

}  // namespace wf
