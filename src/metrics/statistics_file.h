// Statistics of a set of images in files.
#pragma once

#include "metrics/feature_statistics.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wf {

/// What decides a figure, by name, in the order in which it is shown.
using FidelitySettings = std::vector<std::pair<std::string, std::string>>;

/// One line of each name on which the two differ: "input: tensorflow / pytorch"; "-" where one has
/// no such setting.
std::vector<std::string> differences(const FidelitySettings& a, const FidelitySettings& b);

struct StatisticsFile {
  FeatureStatistics pooled;                  ///< arrays mu, sigma
  std::optional<FeatureStatistics> spatial;  ///< arrays mu_s, sigma_s, for sFID
  FidelitySettings settings;                 ///< empty in files of other programs
};

/// Whether the archive at `path` holds statistics (mu) and not only images.
bool has_statistics(const std::string& path);

/// Reads an .npz of mu [D] and sigma [D, D] (pytorch-fid), also mu_s and sigma_s (ADM), also what
/// write_statistics() adds. Any float type. Throws wf::Error in one line naming the file: no sigma,
/// shapes that do not fit, truncated.
StatisticsFile read_statistics(const std::string& path);

/// Writes mu and sigma as float64, mu_s and sigma_s where there are any, count, and the settings as
/// lines of settings.txt; pytorch-fid and ADM's evaluator read it too. Atomic.
void write_statistics(const std::string& path, const StatisticsFile& statistics);

}  // namespace wf
