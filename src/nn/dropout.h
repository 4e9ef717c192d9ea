#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace wf {

/// Inverted dropout (Srivastava et al. 2014): multiplies x by a mask that is 0 with probability
/// `rate`, in [0, 1), and 1 / (1 - rate) otherwise. mask_sizes broadcasts to the sizes of x: along
/// a dimension of 1, values are kept or dropped together.
at::Tensor dropout(const at::Tensor& x, at::IntArrayRef mask_sizes, double rate,
                   const at::Generator& generator);

}  // namespace wf
