#include "engine/classification/loss.h"

#include "weightformer/core/check.h"

#include <torch/torch.h>

namespace wf {
namespace {

at::Tensor one_hot(const at::Tensor& labels, int64_t classes, double smoothing) {
  const double off = smoothing / static_cast<double>(classes);
  return torch::full({labels.size(0), classes}, off,
                     torch::dtype(torch::kFloat).device(labels.device()))
      .scatter_(1, labels.unsqueeze(1), 1 - smoothing + off);
}

}  // namespace

at::Tensor classification_loss(const at::Tensor& logits, const at::Tensor& targets,
                               const LossOptions& options) {
  const bool shares = targets.is_floating_point();
  WF_CHECK(logits.dim() == 2 && targets.size(0) == logits.size(0) &&
               (shares ? targets.sizes() == logits.sizes() : targets.dim() == 1),
           "loss: logits ", logits.sizes(), " do not go with targets ", targets.sizes());
  if (options.kind == LossKind::cross_entropy) {
    return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Mean, -100,
                                  shares ? 0 : options.label_smoothing);
  }
  auto wanted = shares ? targets : one_hot(targets, logits.size(1), options.label_smoothing);
  if (options.threshold > 0) wanted = wanted.gt(options.threshold).to(logits.scalar_type());
  return at::binary_cross_entropy_with_logits(logits, wanted, {}, {}, at::Reduction::Mean);
}

}  // namespace wf
