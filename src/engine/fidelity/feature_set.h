// The features of all images of a set.
#pragma once

#include "engine/fidelity/feature_network.h"
#include "engine/fidelity/image_set.h"
#include "metrics/feature_statistics.h"
#include "metrics/inception_score.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace wf {

/// Sums over the images of even and of odd number: two halves that see the same classes in a set
/// that is sorted by class.
struct HalvedSums {
  FeatureSums even, odd;

  explicit HalvedSums(int64_t dim) : even(dim), odd(dim) {}
  /// features: [N, dim] of images first, first + 1, …
  void add(const at::Tensor& features, int64_t first);
  FeatureSums total() const;
};

struct FeatureSet {
  HalvedSums pooled;
  std::optional<FeatureSums> spatial;
  at::Tensor features = {};                      ///< [N, D] float32, when asked for
  std::optional<InceptionScoreSums> score = {};  ///< when asked for and the network has classes
  bool gray = true;                              ///< no image has a color
  int64_t height = 0, width = 0;                 ///< of the first image
  double images_per_s = 0;
};

struct FeatureSetOptions {
  int64_t batch_size = 50;
  int threads = 1;  ///< that decode, beside the network
  bool keep_features = false;
  int64_t score_chunk = 0;  ///< images in a chunk of the inception score; 0: no score
  /// Called after each batch with the images done and to do.
  std::function<void(int64_t, int64_t)> progress = {};
};

/// Runs `network` over `images`; the next batch is decoded meanwhile. Throws wf::Error for an image
/// that cannot be read, features that are not finite, and fewer than two images.
FeatureSet extract_features(const ImageSet& images, FeatureNetwork& network,
                            const FeatureSetOptions& options);

}  // namespace wf
