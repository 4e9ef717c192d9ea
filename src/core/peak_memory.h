#pragma once

#include <c10/core/Device.h>

namespace wf {

/// The most memory, in MiB, that this process has held so far: resident memory for the CPU, tensors
/// for a GPU. 0 where that is not known.
double peak_memory_mib(c10::Device device);

}  // namespace wf
