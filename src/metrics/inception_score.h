#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wf {

struct InceptionScore {
  double mean = 0, std = 0;  ///< over the chunks; std with their number as divisor
};

/// exp of the mean KL divergence between the class probabilities of an image and their mean over
/// the images of a chunk (Salimans et al. 2016). logits: [N, classes] in the order of the images;
/// the FID network's are taken without the bias of its last layer. Chunks are of `chunk` images,
/// the last one may have fewer, as in ADM's evaluator (guided-diffusion, evaluations/evaluator.py).
/// Computed in float64. Throws wf::Error.
InceptionScore inception_score(const at::Tensor& logits, int64_t chunk = 5000);

}  // namespace wf
