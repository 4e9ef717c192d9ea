// The figures that papers quote of a set of samples.
#pragma once

#include "engine/fidelity/feature_set.h"
#include "metrics/feature_statistics.h"

#include <optional>
#include <string>
#include <vector>

namespace wf {

/// One side of a comparison: computed, read from a file of statistics, or both.
struct ComparedSet {
  FeatureStatistics pooled;
  std::optional<FeatureStatistics> spatial;
  std::optional<FeatureSet> features;
};

struct Figure {
  std::string key;    ///< in JSON: "fid"
  std::string label;  ///< "FID"
  double value = 0;
  std::string note;  ///< behind the value; may be empty
};

/// Images in a chunk of the inception score.
constexpr int64_t kScoreChunk = 5000;

struct FigureSelection {
  bool fid = true, sfid = true, inception_score = true, precision_recall = true, kid = true;

  bool needs_features() const { return precision_recall || kid; }
};

/// Comma-separated: fid, sfid, is, pr, kid. Throws wf::Error, listing them, for another word.
FigureSelection parse_figures(const std::string& words);

struct Figures {
  std::vector<Figure> all;
  std::vector<std::string> left_out;  ///< "sFID: why"
};

/// Those of `selection` that the two sets suffice for. `distance` is what the Fréchet distance is
/// called ("FID"). Where the samples' features were computed, the distance of halves of them shows
/// how much of it comes from their number; that estimate needs halves of more images than features.
/// Throws wf::Error.
Figures compute_figures(const ComparedSet& samples, const ComparedSet& reference,
                        const FigureSelection& selection, const std::string& distance);

/// How the figures were computed: chunks, neighbors, subsets.
FidelitySettings figure_settings();

}  // namespace wf
