// Tensors of counter-based random numbers: a sample's noise depends only on its key, not on the
// batch, the rank or the device.
#pragma once

#include "weightformer/core/random.h"

#include <ATen/core/Tensor.h>

#include <vector>

namespace wf {

/// For each key a row of standard normal numbers of shape `sizes`: [keys, sizes...] float32 on
/// `device`. Element e of a row is the e-th normal() of its key's stream, computed in double;
/// bit-identical on CPUs, while logarithm and cosine of a GPU may differ in the last bit of
/// float32.
at::Tensor counter_normal(const std::vector<CounterRng>& keys, at::IntArrayRef sizes,
                          c10::Device device);

}  // namespace wf
