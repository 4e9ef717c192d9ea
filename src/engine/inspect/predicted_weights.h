// What the dynamic layers of a classifier predict for an image.
#pragma once

#include "weightformer/models/weightformer.h"

#include <cstdint>
#include <vector>

namespace wf {

/// The predictions of one dynamic block. All tensors are float64 on the CPU; undefined for a layer
/// with the predictor static.
struct PredictedWeights {
  int64_t block = 0;          ///< index in the model, from 0
  at::Tensor kernels;         ///< [C, 3, 3]: what is added to the static kernels, K / (1 + ‖K‖)
  at::Tensor static_kernels;  ///< [C, 3, 3]; always defined
  at::Tensor column_gains;    ///< [D]: 1 / (1 + ‖P_:j‖), see ops/dynamic_linear.h
  at::Tensor singular_values;  ///< of P diag(gains), what is added to the static weight; descending
  double static_norm = 0;      ///< Frobenius norm of the static weight
  double effective_rank = 0;   ///< see effective_rank(); 0 if static
  double rank_bound = 0;       ///< at most so many singular values are not zero: R, C or D
};

/// image: [1, 3, H, W], normalized → one entry for each dynamic block. The model computes in
/// evaluation mode.
std::vector<PredictedWeights> predicted_weights(WeightFormerImpl& model, const at::Tensor& image);

/// exp of the entropy of the singular values, divided by their sum (Roy and Vetterli 2007): between
/// 1 and their number; 0 if all are zero.
double effective_rank(const at::Tensor& singular_values);

}  // namespace wf
