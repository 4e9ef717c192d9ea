// The FID of a model's samples during training.
#pragma once

#include "engine/diffusion/latent_codec.h"
#include "engine/diffusion/sampling.h"
#include "engine/distributed.h"
#include "engine/fidelity/feature_network.h"
#include "metrics/feature_statistics.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace wf {

struct SampleFidelityOptions {
  int64_t images = 10000;  ///< samples
  int64_t classes = 1000;  ///< labels are drawn by (seed, index)
  uint64_t seed = 0;
  int64_t batch_size = 64;  ///< samples drawn at a time
};

/// Draws samples on all ranks and compares their features with those of a reference. Draws are
/// functions of (seed, index), so that they change nothing in a run and the figures of two
/// validations, or of other numbers of ranks, differ by the weights and rounding only.
class SampleFidelity {
 public:
  SampleFidelity(std::unique_ptr<FeatureNetwork> network, FeatureStatistics reference,
                 const SampleFidelityOptions& options);

  /// The Fréchet distance of samples of `generator`, decoded by `codec` unless it is null. Every
  /// rank calls it and gets the same. nullopt: cancelled, which is asked between batches; may be
  /// null. Throws wf::Error when samples or features are not finite.
  std::optional<double> distance(const SampleGenerator& generator, LatentCodec* codec,
                                 Distributed& ranks, bool (*cancelled)()) const;

 private:
  std::unique_ptr<FeatureNetwork> network_;
  FeatureStatistics reference_;
  SampleFidelityOptions options_;
};

}  // namespace wf
