#include "engine/fidelity/reference.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"
#include "data/sources/image_files.h"
#include "engine/fidelity/feature_set.h"
#include "metrics/statistics_file.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

namespace wf {
namespace {

constexpr int64_t kBatch = 50;

// Every `world`-th image of a set.
class ImagePart : public ImageSet {
 public:
  ImagePart(const ImageSet& all, int64_t rank, int64_t world)
      : all_(all), rank_(rank), world_(world) {}
  int64_t size() const override { return (all_.size() - rank_ + world_ - 1) / world_; }
  at::Tensor image(int64_t i) const override { return all_.image(rank_ + i * world_); }

 private:
  const ImageSet& all_;
  int64_t rank_, world_;
};

FeatureStatistics read_reference(const std::string& path, const FeatureNetwork& network) {
  const auto file = read_statistics(path);
  const auto made_with = network_settings(file.settings);
  const auto found =
      made_with.empty() ? std::vector<std::string>{} : differences(made_with, network.settings());
  WF_CHECK(found.empty(), path,
           ": statistics of other features (there / here): ", join(found, "; "));
  WF_CHECK(file.pooled.dim() == network.dim(), path, ": statistics of ", file.pooled.dim(),
           " features, and the network has ", network.dim());
  return file.pooled;
}

}  // namespace

std::unique_ptr<ImageSet> open_image_set(const std::string& path) {
  if (ends_with(path, ".npz")) return image_array(path);
  std::vector<std::string> files;
  for (auto& file : image_files({path})) files.push_back(std::move(file.path));
  return image_set(std::move(files));
}

FeatureStatistics reference_statistics(const std::string& path, FeatureNetwork& network,
                                       Distributed& ranks) {
  if (ends_with(path, ".npz") && has_statistics(path)) return read_reference(path, network);
  const auto images = open_image_set(path);
  const int64_t world = ranks.world();
  WF_CHECK(images->size() >= 2 * world, path, ": ", images->size(),
           " images, and the statistics of a reference need at least ", 2 * world);
  FeatureSetOptions options;
  options.batch_size = kBatch;
  options.threads = static_cast<int>(
      std::max<int64_t>(1, std::thread::hardware_concurrency() / std::max<int64_t>(1, world)));
  ProgressBar bar(path, images->size());
  options.progress = [&](int64_t done, int64_t) { bar.show(done * world); };
  const ImagePart part(*images, ranks.rank(), world);
  auto sums = extract_features(part, network, options).pooled.total();
  ranks.sum(sums.data());
  log::info("{}: statistics of {} images; wf_fid --save-stats keeps them for later runs", path,
            sums.count());
  return sums.statistics();
}

}  // namespace wf
