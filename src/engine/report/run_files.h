// What a report reads from a run directory.
#pragma once

#include "weightformer/engine/observer.h"

#include "config/describe.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace wf {

struct RunFiles {
  std::string name;                               ///< "wfm_tiny/default": the last two directories
  std::vector<nlohmann::ordered_json> steps;      ///< lines of metrics.jsonl: of measured steps,
  std::vector<nlohmann::ordered_json> epochs;     ///< of epochs,
  std::vector<nlohmann::ordered_json> validated;  ///< and of epochs and validations inside them
  std::vector<Setting> settings;                  ///< of config.yaml; empty without one
  nlohmann::json validation;                      ///< of validation.json; null without one
};

/// Reads metrics.jsonl, config.yaml and validation.json; an incomplete last line is ignored. Throws
/// wf::Error when there is no metrics.jsonl, it has no lines, or a file is not valid.
RunFiles read_run(const std::string& directory);

/// Reads metrics.jsonl only.
RunFiles read_metrics(const std::string& path);

/// Writes validation.json: the classes, the non-zero cells of the confusion table and the samples
/// of the largest losses with their images as data URLs. Throws wf::Error.
void write_validation_file(const std::string& directory, const ValidationDetails& details,
                           int64_t epoch, int64_t step);

/// A value of a line; NaN where it is missing or null.
double number_at(const nlohmann::ordered_json& line, const std::string& key);

}  // namespace wf
