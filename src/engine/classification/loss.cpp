#include "engine/classification/loss.h"

#include "weightformer/core/check.h"

#include "data/augment/soft_targets.h"

#include <torch/types.h>

namespace wf {

at::Tensor classification_loss(const at::Tensor& logits, const at::Tensor& targets,
                               const LossOptions& options) {
  const bool soft = targets.is_floating_point();
  WF_CHECK(logits.dim() == 2 && targets.size(0) == logits.size(0) &&
               (soft ? targets.sizes() == logits.sizes() : targets.dim() == 1),
           "loss: logits ", logits.sizes(), " do not match targets ", targets.sizes());
  if (options.kind == LossKind::cross_entropy) {
    return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Mean, -100,
                                  soft ? 0 : options.label_smoothing);
  }
  auto soft_targets =
      soft ? targets : smoothed_one_hot(targets, logits.size(1), options.label_smoothing);
  if (options.threshold > 0) {
    soft_targets = soft_targets.gt(options.threshold).to(logits.scalar_type());
  }
  return at::binary_cross_entropy_with_logits(logits, soft_targets, {}, {}, at::Reduction::Mean);
}

}  // namespace wf
