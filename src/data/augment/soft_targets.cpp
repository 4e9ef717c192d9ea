#include "data/augment/soft_targets.h"

#include <ATen/ops/full.h>

namespace wf {

at::Tensor smoothed_one_hot(const at::Tensor& labels, int64_t classes, double smoothing) {
  const double off = smoothing / static_cast<double>(classes);
  return at::full({labels.size(0), classes}, off, labels.options().dtype(at::kFloat))
      .scatter_(1, labels.unsqueeze(1), 1 - smoothing + off);
}

}  // namespace wf
