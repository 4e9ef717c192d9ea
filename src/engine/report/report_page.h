#pragma once

#include "engine/report/run_files.h"

#include <string>
#include <vector>

namespace wf {

/// A self-contained HTML page about a run: key figures, curves, confusion matrix, most confused
/// classes, the worst images, settings that are not defaults. Of several runs: the curves of each
/// figure in one chart, the best values and the settings that differ.
std::string report_page(const std::vector<RunFiles>& runs);

/// The losses and the accuracy of a run by epoch as one SVG file.
std::string learning_curve(const RunFiles& run);

}  // namespace wf
