// Which tokens speak for a class.
#pragma once

#include "weightformer/models/weightformer.h"

namespace wf {

/// The logits of images split over the tokens. The head is linear and takes the mean of the tokens,
/// so that the split is exact, without gradients:
///   logit_c = bias_c + Σ_n evidence_cn,   evidence_cn = head_c · token_n / N
struct ClassEvidence {
  at::Tensor logits;  ///< [B, classes]
  at::Tensor maps;    ///< [B, classes, height, width] over the token grid
  at::Tensor bias;    ///< [classes]
};

/// images: [B, 3, H, W], normalized. All results are float64 on the CPU. The model computes in
/// evaluation mode.
ClassEvidence class_evidence(WeightFormerImpl& model, const at::Tensor& images);

}  // namespace wf
