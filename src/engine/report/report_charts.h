// The charts of a report.
#pragma once

#include "engine/report/run_files.h"
#include "engine/report/svg_chart.h"

#include <vector>

namespace wf {

/// Loss by epoch, then each metric of the validations, then what was measured in steps. Charts
/// without a value are left out.
std::vector<Chart> report_charts(const std::vector<RunFiles>& runs);

/// "val_acc1" → "validation top-1, %"
std::string metric_title(const std::string& key);

/// The keys of metrics in the validations of a run that are not counts: "val_loss", "val_acc1".
/// Those of EMA weights are not among them.
std::vector<std::string> metric_keys(const RunFiles& run);

}  // namespace wf
