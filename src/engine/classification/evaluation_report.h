#pragma once

#include "engine/classification/evaluator.h"

#include <string>
#include <vector>

namespace wf {

/// Writes what an evaluation with a confusion table found, for spreadsheets: `folder`/classes.csv,
/// one line a class (name, pictures, right, top-1 in percent, most frequent mistake and its count),
/// and `folder`/confusion.csv, true classes down, predicted ones across. Unreadable pictures are in
/// neither.
void write_evaluation(const std::string& folder, const Evaluation& evaluation,
                      const std::vector<std::string>& classes);

}  // namespace wf
