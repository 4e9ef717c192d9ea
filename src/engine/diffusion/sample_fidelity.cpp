#include "engine/diffusion/sample_fidelity.h"

#include "weightformer/core/check.h"

#include "core/stopwatch.h"
#include "metrics/frechet_distance.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <torch/types.h>

#include <utility>
#include <vector>

namespace wf {
namespace {

// [N, 3, H, W] uint8 as the images of a network of features.
std::vector<at::Tensor> as_images(const at::Tensor& bytes) {
  return bytes.expand({-1, 3, -1, -1}).contiguous().unbind(0);
}

}  // namespace

SampleFidelity::SampleFidelity(std::unique_ptr<FeatureNetwork> network, FeatureStatistics reference,
                               const SampleFidelityOptions& options)
    : network_(std::move(network)), reference_(std::move(reference)), options_(options) {
  if (options.images <= network_->dim()) {
    log::warning(
        "FID.IMAGES {}: not more than the {} features, so the {} is biased upwards; compare it "
        "only with one of as many samples",
        options.images, network_->dim(), network_->distance());
  }
}

std::optional<double> SampleFidelity::distance(const SampleGenerator& generator, LatentCodec* codec,
                                               Distributed& ranks, bool (*cancelled)()) const {
  const Stopwatch watch;
  FeatureSums sums(network_->dim());
  auto unfinished = torch::zeros({1}, torch::kDouble);
  const int64_t step = options_.batch_size * ranks.world();
  ProgressBar bar("samples for the FID", options_.images);
  for (int64_t first = ranks.rank(); first < options_.images; first += step) {
    if (cancelled && cancelled()) {
      unfinished.fill_(1);
      break;
    }
    std::vector<int64_t> indices, labels;
    for (int64_t i = first; i < std::min(first + step, options_.images); i += ranks.world()) {
      indices.push_back(i);
      labels.push_back(random_label(options_.seed, i, options_.classes));
    }
    const auto samples = generator.draw(indices, labels);
    WF_CHECK(samples.isfinite().all().item<bool>(), "FID: samples are not finite");
    sums.add(
        network_->features(as_images(codec ? codec->decode(samples) : to_bytes(samples))).pooled);
    bar.show(std::min(first + step, options_.images));
  }
  ranks.sum(unfinished);
  if (unfinished.item<double>() > 0) return std::nullopt;
  ranks.sum(sums.data());
  auto distance = torch::zeros({1}, torch::kDouble);
  ranks.on_root("FID", [&] {
    distance.fill_(frechet_distance(sums.statistics(), reference_));
    log::info("{} of {} samples in {:.0f} s: {:.3f}", network_->distance(), options_.images,
              watch.seconds(), distance.item<double>());
  });
  ranks.sum(distance);
  return distance.item<double>();
}

}  // namespace wf
