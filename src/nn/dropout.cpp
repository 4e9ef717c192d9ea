#include "nn/dropout.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

namespace wf {

at::Tensor dropout(const at::Tensor& x, at::IntArrayRef mask_sizes, double rate,
                   const at::Generator& generator) {
  const double keep = 1 - rate;
  const auto kept = at::empty(mask_sizes, x.options()).bernoulli_(keep, generator);
  return x * (kept / keep);
}

}  // namespace wf
