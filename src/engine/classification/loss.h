#pragma once

#include "weightformer/config/enums.h"

#include <ATen/core/Tensor.h>

namespace wf {

struct LossOptions {
  LossKind kind = LossKind::cross_entropy;
  double label_smoothing = 0.1;  ///< applied to labels; soft targets are already smoothed
  double threshold = 0;          ///< binary: targets above it become 1, the others 0; 0 keeps them
};

/// The mean loss of a batch, a scalar. logits: [B, K] float32. targets: labels, [B] int64, which
/// are smoothed here, or soft targets, [B, K] float32, which Mixup has smoothed.
///
/// cross_entropy: mean over B of -sum_k t_k log softmax(x)_k. binary: mean over B and K of
/// -t log s(x) - (1 - t) log(1 - s(x)), as timm's BinaryCrossEntropy.
at::Tensor classification_loss(const at::Tensor& logits, const at::Tensor& targets,
                               const LossOptions& options);

}  // namespace wf
