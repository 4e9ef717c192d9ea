#include "weightformer/nn/drop_path.h"

#include "weightformer/core/check.h"

#include "nn/dropout.h"
#include "nn/generator.h"
#include "ops/op_common.h"

#include <ATen/ops/empty.h>

namespace wf {

DropPathImpl::DropPathImpl(DropPathOptions options) : options(options) {
  WF_CHECK(options.rate() >= 0 && options.rate() < 1, "DropPath: the rate must be in [0, 1), got ",
           options.rate());
}

at::Tensor DropPathImpl::forward(const at::Tensor& x) {
  if (!active()) return x;
  return dropout(x, {x.size(0), 1, 1}, options.rate(), generator_for(x));
}

at::Tensor DropPathImpl::row_scale(const at::Tensor& x) const {
  if (!active()) return {};
  const double keep = 1 - options.rate();
  const auto type = accumulate_type(x.scalar_type());
  const auto kept = at::empty({x.size(0)}, x.options().dtype(type));
  return kept.bernoulli_(keep, generator_for(x)).div_(keep);
}

at::Generator DropPathImpl::generator_for(const at::Tensor& x) const {
  return generator_or_default(generator, x.device());
}

}  // namespace wf
