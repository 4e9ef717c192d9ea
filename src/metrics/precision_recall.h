#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wf {

struct PrecisionRecall {
  double precision = 0;  ///< share of the samples inside the manifold of the reference
  double recall = 0;     ///< share of the reference inside the manifold of the samples
};

/// Improved precision and recall (Kynkäänniemi et al. 2019). The manifold of a set is the union of
/// the balls around its features, each as large as the distance to its `neighbors`-th nearest other
/// one; a feature on the surface is inside. samples: [M, D], reference: [N, D]; both sets need more
/// than `neighbors` rows. Distances are computed in the dtype given, in tiles, so that memory stays
/// below 1,000 rows of max(M, N). ADM's evaluator computes them in float16 where that is finite, so
/// its figures differ by some thousandths. Throws wf::Error.
PrecisionRecall precision_recall(const at::Tensor& samples, const at::Tensor& reference,
                                 int64_t neighbors = 3);

}  // namespace wf
