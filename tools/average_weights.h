#pragma once

#include "weightformer/serialization/weights.h"

#include <string>
#include <vector>

namespace wf {

/// The mean of the weights of several files, summed in float64, in the dtypes of the first file.
/// Tensors of integers must be equal. Classes and settings are those of the first file. Throws
/// wf::Error naming the file and the tensor when names, shapes, integers or classes differ.
Weights average_weights(const std::vector<std::string>& paths, const WeightsOptions& options);

}  // namespace wf
