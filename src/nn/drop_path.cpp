#include "weightformer/nn/drop_path.h"

#include "weightformer/core/check.h"

#include "nn/generator.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

namespace wf {

DropPathImpl::DropPathImpl(DropPathOptions options) : options(options) {
  WF_CHECK(options.rate() >= 0 && options.rate() < 1, "DropPath: the rate must be in [0, 1), got ",
           options.rate());
}

at::Tensor DropPathImpl::forward(const at::Tensor& x) {
  if (!active()) return x;
  const double keep = 1 - options.rate();
  const auto kept = at::empty({x.size(0), 1, 1}, x.options()).bernoulli_(keep, draws(x));
  return x * (kept / keep);
}

at::Generator DropPathImpl::draws(const at::Tensor& x) const {
  return generator_or_default(generator, x.device());
}

}  // namespace wf
