#include "engine/fidelity/feature_set.h"

#include "weightformer/core/check.h"

#include "core/stopwatch.h"

#include <torch/types.h>

#include <algorithm>
#include <future>

namespace wf {
namespace {

bool is_gray(const at::Tensor& image) {
  return torch::equal(image[0], image[1]) && torch::equal(image[0], image[2]);
}

}  // namespace

void HalvedSums::add(const at::Tensor& features, int64_t first) {
  const auto every_second = [&](int64_t from) {
    return features.slice(0, std::min(from, features.size(0)), std::nullopt, 2);
  };
  even.add(every_second(first % 2));
  odd.add(every_second(1 - first % 2));
}

FeatureSums HalvedSums::total() const {
  FeatureSums sums(even.dim());
  sums.add(even);
  sums.add(odd);
  return sums;
}

FeatureSet extract_features(const ImageSet& images, FeatureNetwork& network,
                            const FeatureSetOptions& options) {
  const auto count = images.size();
  WF_CHECK(count >= 2, "a covariance needs at least 2 images, got ", count);
  FeatureSet out{HalvedSums(network.dim()), std::nullopt};
  if (network.spatial_dim() > 0) out.spatial.emplace(network.spatial_dim());
  const auto read = [&](int64_t begin) {
    return read_images(images, begin, std::min(count, begin + options.batch_size), options.threads);
  };
  if (options.keep_features) out.features = torch::empty({count, network.dim()});
  const Stopwatch watch;
  auto next = std::async(std::launch::async, read, int64_t{0});
  for (int64_t begin = 0; begin < count; begin += options.batch_size) {
    const auto batch = next.get();
    const auto end = begin + static_cast<int64_t>(batch.size());
    if (end < count) next = std::async(std::launch::async, read, end);
    if (begin == 0) out.height = batch.front().size(1), out.width = batch.front().size(2);
    out.gray = out.gray && std::all_of(batch.begin(), batch.end(), is_gray);
    const auto features = network.features(batch);
    out.pooled.add(features.pooled, begin);
    if (out.spatial) out.spatial->add(features.spatial);
    // In place: gathered in pieces, the features of all images would exist twice.
    if (options.keep_features) out.features.slice(0, begin, end).copy_(features.pooled);
    if (options.score_chunk > 0 && features.logits.defined()) {
      if (!out.score) out.score.emplace(options.score_chunk);
      out.score->add(features.logits);
    }
    if (options.progress) options.progress(end, count);
  }
  out.images_per_s = static_cast<double>(count) / watch.seconds();
  return out;
}

}  // namespace wf
