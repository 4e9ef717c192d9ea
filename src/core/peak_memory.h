#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

namespace wf {

/// The most memory, in MiB, that this process has held so far: resident memory for the CPU, tensors
/// for a GPU. 0 where that is not known.
double peak_memory_mib(c10::Device device);

/// Bytes of tensors on a device that a piece of work took.
struct MemoryUse {
  int64_t peak = 0;  ///< the most at a time
  int64_t kept = 0;  ///< that still exist after it
};

/// Runs `work` and measures it. On the CPU only in programs that called keep_freed_memory(), and
/// for one piece of work at a time.
MemoryUse memory_use(c10::Device device, const std::function<void()>& work);

}  // namespace wf
