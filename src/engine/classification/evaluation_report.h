#pragma once

#include "engine/classification/evaluator.h"

#include <string>
#include <vector>

namespace wf {

/// Writes the results of an evaluation with a confusion table: `directory`/classes.csv, one line
/// per class (name, images, correct, top-1 in percent, most frequent error and its count), and
/// `directory`/confusion.csv, true classes in rows, predicted ones in columns. Unreadable images
/// are in neither.
void write_evaluation(const std::string& directory, const Evaluation& evaluation,
                      const std::vector<std::string>& classes);

}  // namespace wf
