#include "engine/fidelity/figures.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "metrics/frechet_distance.h"
#include "metrics/inception_score.h"
#include "metrics/kernel_distance.h"
#include "metrics/precision_recall.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace wf {
namespace {

constexpr int64_t kChunk = 5000, kNeighbors = 3;

std::string lower(std::string word) {
  for (auto& letter : word) letter = static_cast<char>(std::tolower(letter));
  return word;
}

void add_distance(std::vector<Figure>& out, const ComparedSet& samples,
                  const ComparedSet& reference, const std::string& label) {
  const auto key = lower(label);
  if (!samples.features || samples.pooled.count < 4) {
    out.push_back({key, label, frechet_distance(samples.pooled, reference.pooled), ""});
    return;
  }
  const auto& halves = samples.features->pooled;
  const auto found = frechet_by_count(halves.even, halves.odd, reference.pooled);
  out.push_back({key, label, found.all, ""});
  out.push_back(
      {key + "_half", label + " at N/2", found.half,
       fmt::format("about {:.3g} of the {} comes from N being finite", found.bias(), label)});
  out.push_back({key + "_extrapolated", label + " for N → ∞", found.extrapolated(), "by 1/N"});
}

}  // namespace

FigureSelection parse_figures(const std::string& words) {
  FigureSelection out{false, false, false, false, false};
  const Registry<bool FigureSelection::*> known("figure",
                                                {{"fid", &FigureSelection::fid},
                                                 {"sfid", &FigureSelection::sfid},
                                                 {"is", &FigureSelection::inception_score},
                                                 {"pr", &FigureSelection::precision_recall},
                                                 {"kid", &FigureSelection::kid}});
  std::istringstream list(words);
  for (std::string word; std::getline(list, word, ',');) out.*known.at(word) = true;
  return out;
}

std::vector<Figure> compute_figures(const ComparedSet& samples, const ComparedSet& reference,
                                    const FigureSelection& selection, const std::string& distance) {
  std::vector<Figure> out;
  if (selection.fid) add_distance(out, samples, reference, distance);
  if (selection.sfid && samples.spatial && reference.spatial) {
    out.push_back({"sfid", "sFID", frechet_distance(*samples.spatial, *reference.spatial), ""});
  }
  if (selection.inception_score && samples.features && samples.features->logits.defined()) {
    const auto score = inception_score(samples.features->logits, kChunk);
    out.push_back({"inception_score", "inception score", score.mean,
                   fmt::format("± {:.3f} over chunks of {}", score.std, kChunk)});
  }
  const auto kept = [](const ComparedSet& set) {
    return set.features && set.features->features.defined();
  };
  if (!kept(samples) || !kept(reference)) return out;
  const auto &x = samples.features->features, &y = reference.features->features;
  if (selection.precision_recall && std::min(x.size(0), y.size(0)) > kNeighbors) {
    const auto found = precision_recall(x, y, kNeighbors);
    out.push_back({"precision", "precision", found.precision, ""});
    out.push_back({"recall", "recall", found.recall, ""});
  }
  if (selection.kid) {
    const auto found = kernel_distance(x, y);
    out.push_back({"kid", "KID x 1000", 1000 * found.mean,
                   fmt::format("± {:.3f} over random subsets", 1000 * found.std)});
  }
  return out;
}

FidelitySettings figure_settings() {
  const KernelDistanceOptions kid;
  return {{"inception score", str("chunks of ", kChunk, ", logits without bias")},
          {"precision and recall", str(kNeighbors, " neighbors, float32")},
          {"KID", str(kid.subsets, " subsets of ", kid.subset_size, ", seed ", kid.seed)}};
}

}  // namespace wf
