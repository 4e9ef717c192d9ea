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

constexpr int64_t kNeighbors = 3;

std::string lower(std::string word) {
  for (auto& letter : word) letter = static_cast<char>(std::tolower(letter));
  return word;
}

void add_distance(Figures& out, const ComparedSet& samples, const ComparedSet& reference,
                  const std::string& label) {
  const auto key = lower(label);
  if (!samples.features || samples.pooled.count < 4) {
    out.all.push_back({key, label, frechet_distance(samples.pooled, reference.pooled), ""});
    out.left_out.push_back(label + " at N/2: needs the images of the samples, at least 4");
    return;
  }
  const auto& halves = samples.features->pooled;
  const auto found = frechet_by_count(halves.even, halves.odd, reference.pooled);
  out.all.push_back({key, label, found.all, ""});
  // With fewer images than features the covariance has no full rank, and the bias is not as 1/N.
  const bool enough = samples.pooled.count / 2 > samples.pooled.dim();
  const auto note =
      fmt::format("about {:.3g} of the {} comes from N being finite", found.bias(), label);
  out.all.push_back({key + "_half", label + " at N/2", found.half, enough ? note : ""});
  if (enough) {
    out.all.push_back(
        {key + "_extrapolated", label + " for N → ∞", found.extrapolated(), "by 1/N"});
  } else {
    out.left_out.push_back(
        fmt::format("{} for N → ∞: needs more than {} images, twice the features", label,
                    2 * samples.pooled.dim() + 1));
  }
}

// Of figures that need the features of every image on both sides.
void add_from_features(Figures& out, const ComparedSet& samples, const ComparedSet& reference,
                       const FigureSelection& selection) {
  const auto kept = [](const ComparedSet& set) {
    return set.features && set.features->features.defined();
  };
  const auto leave_out = [&](const std::string& why) {
    if (selection.precision_recall) out.left_out.push_back("precision, recall: " + why);
    if (selection.kid) out.left_out.push_back("KID: " + why);
  };
  if (!selection.needs_features()) return;
  if (!kept(samples) || !kept(reference)) {
    return leave_out(str("statistics of the ", kept(samples) ? "reference" : "samples",
                         " do not suffice, give its images"));
  }
  const auto &x = samples.features->features, &y = reference.features->features;
  if (selection.precision_recall && std::min(x.size(0), y.size(0)) > kNeighbors) {
    const auto found = precision_recall(x, y, kNeighbors);
    out.all.push_back({"precision", "precision", found.precision, ""});
    out.all.push_back({"recall", "recall", found.recall, ""});
  } else if (selection.precision_recall) {
    out.left_out.push_back(str("precision, recall: need more than ", kNeighbors, " images"));
  }
  if (selection.kid) {
    const auto found = kernel_distance(x, y);
    out.all.push_back({"kid", "KID x 1000", 1000 * found.mean,
                       fmt::format("± {:.3f} over random subsets", 1000 * found.std)});
  }
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

Figures compute_figures(const ComparedSet& samples, const ComparedSet& reference,
                        const FigureSelection& selection, const std::string& distance) {
  Figures out;
  if (selection.fid) add_distance(out, samples, reference, distance);
  if (selection.sfid && samples.spatial && reference.spatial) {
    out.all.push_back({"sfid", "sFID", frechet_distance(*samples.spatial, *reference.spatial), ""});
  } else if (selection.sfid) {
    out.left_out.push_back(str("sFID: the ", samples.spatial ? "reference has" : "samples have",
                               " no spatial features"));
  }
  if (selection.inception_score && samples.features && samples.features->score) {
    const auto score = samples.features->score->score();
    out.all.push_back({"inception_score", "inception score", score.mean,
                       fmt::format("± {:.3f} over chunks of {}", score.std, kScoreChunk)});
  } else if (selection.inception_score) {
    out.left_out.push_back("inception score: needs Inception's classes of the samples' images");
  }
  add_from_features(out, samples, reference, selection);
  return out;
}

FidelitySettings figure_settings() {
  const KernelDistanceOptions kid;
  return {{"inception score", str("chunks of ", kScoreChunk, ", logits without bias")},
          {"precision and recall", str(kNeighbors, " neighbors, float32")},
          {"KID", str(kid.subsets, " subsets of ", kid.subset_size, ", seed ", kid.seed)}};
}

}  // namespace wf
