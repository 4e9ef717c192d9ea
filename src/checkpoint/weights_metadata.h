// What a file of weights carries besides the tensors, so that it needs no configuration.
#pragma once

#include "weightformer/serialization/weights.h"

#include <map>
#include <string>

namespace wf {

/// Entries for the metadata of a safetensors or ONNX file: "classes" (JSON list of names), "config"
/// (see kSettingsMetadata); of a classifier also "mean" and "std", JSON lists that pixels in 0…1
/// are normalized with.
std::map<std::string, std::string> weights_metadata(const Weights& weights);

/// Throws wf::Error, naming `source`, when classes, settings or normalization in the file
/// contradict its tensors or what this program does.
void check_metadata(const Weights& weights, const std::string& source);

}  // namespace wf
