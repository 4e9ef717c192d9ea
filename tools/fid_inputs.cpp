#include "fid_inputs.h"

#include "weightformer/core/check.h"

#include "core/npz.h"
#include "core/registry.h"
#include "core/text.h"
#include "engine/fidelity/reference.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

namespace wf {
namespace {

FeatureSet extract(const std::string& role, const ImageSet& images, const FidRequest& request,
                   const FigureSelection& selection, FeatureNetwork& network) {
  FeatureSetOptions options;
  options.batch_size = request.batch_size;
  options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.keep_features = selection.needs_features();
  if (selection.inception_score && role == "samples") options.score_chunk = kScoreChunk;
  ProgressBar bar(role, images.size());
  options.progress = [&](int64_t done, int64_t) { bar.show(done); };
  auto set = extract_features(images, network, options);
  log::info("{}: {} images, {:.1f} images/s", role, images.size(), set.images_per_s);
  if (set.gray) {
    log::warning("{}: all images are gray, repeated over R, G and B; compare them with gray ones",
                 role);
  }
  return set;
}

// Of images that were seen now.
void compute(FidSide& side, const std::string& role, const std::string& path,
             const FidRequest& request, const FigureSelection& selection, FeatureNetwork& network) {
  const auto images = open_image_set(path);
  auto set = extract(role, *images, request, selection, network);
  side.count = images->size();
  side.settings.emplace_back(str(role, " size"), str(set.width, "x", set.height));
  if (!side.set.pooled.mean.defined()) {
    side.made_with = network.settings();
    side.set.pooled = set.pooled.total().statistics();
    if (set.spatial) side.set.spatial = set.spatial->statistics();
  }
  side.set.features = std::move(set);
}

}  // namespace

FidSide open_side(const std::string& role, const std::string& path, const FidRequest& request,
                  const FigureSelection& selection,
                  const std::function<FeatureNetwork&()>& network) {
  FidSide side;
  side.settings = {{role, path}};
  const bool archive = ends_with(path, ".npz");
  const bool statistics = archive && has_statistics(path);
  if (statistics) {
    auto file = read_statistics(path);
    side.set.pooled = file.pooled;
    side.set.spatial = file.spatial;
    side.count = file.pooled.count;
    side.made_with = network_settings(file.settings);
  }
  const bool images = !statistics || NpzFile(path).has("arr_0");
  if (!statistics || (images && selection.needs_features() &&
                      (!request.weights.empty() || !request.features.empty()))) {
    compute(side, role, path, request, selection, network());
  }
  side.settings.emplace_back(str(role, " images"), side.count ? str(side.count) : "unknown");
  return side;
}

}  // namespace wf
