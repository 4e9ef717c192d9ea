#include "nn/dropout.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

namespace wf {

at::Tensor dropout(const at::Tensor& x, at::IntArrayRef mask_sizes, double rate,
                   const at::Generator& generator) {
  const double keep = 1 - rate;
  const auto kept = at::empty(mask_sizes, x.options()).bernoulli_(keep, generator);
  return x * (kept / keep);
}

at::Generator generator_or_default(const at::Generator& generator, c10::Device device) {
  return generator.defined() ? generator : at::globalContext().defaultGenerator(device);
}

}  // namespace wf
