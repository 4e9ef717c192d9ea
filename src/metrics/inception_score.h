#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace wf {

struct InceptionScore {
  double mean = 0, std = 0;  ///< over the chunks; std with their number as divisor
};

/// The inception score of images that come in pieces; memory does not grow with their number.
/// exp of the mean KL divergence between the class probabilities of an image and their mean over
/// the images of a chunk (Salimans et al. 2016). Chunks are of `chunk` images, the last one may
/// have fewer, as in ADM's evaluator (guided-diffusion, evaluations/evaluator.py). In float64.
class InceptionScoreSums {
 public:
  explicit InceptionScoreSums(int64_t chunk);

  /// logits: [N, classes] of the next images; the FID network's are taken without the bias of its
  /// last layer. Throws wf::Error for another shape.
  void add(const at::Tensor& logits);
  InceptionScore score() const;

 private:
  struct Chunk {
    int64_t images = 0;
    double negative_entropies = 0;  // Σ of the images' Σ p log p
    at::Tensor probabilities;       // [classes], their sum

    double score() const;
  };
  int64_t chunk_;
  std::vector<double> full_;  // scores
  Chunk last_;
};

/// The same of all images at once. logits: [N, classes], N at least 1, in the order of the images.
/// Throws wf::Error.
InceptionScore inception_score(const at::Tensor& logits, int64_t chunk = 5000);

}  // namespace wf
