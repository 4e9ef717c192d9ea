#include "checkpoint/weights_metadata.h"

#include "weightformer/core/check.h"

#include "core/mapped_file.h"
#include "data/transforms.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace wf {
namespace {

using Json = nlohmann::json;

// Without the digits that float adds: 0.485.
Json list_of(const float (&values)[3]) {
  Json out;
  for (const float value : values) out.push_back(std::round(1e6 * value) / 1e6);
  return out;
}

// Rows of the matrix `name`; 0 when there is none.
int64_t rows_of(const Weights& weights, const char* name) {
  const auto found = weights.tensors.find(name);
  const bool matrix = found != weights.tensors.end() && found->second.dim() == 2;
  return matrix ? found->second.size(0) : 0;
}

using Entries = std::map<std::string, std::string>;

// Only a safetensors file has metadata.
Entries metadata_of(const Weights& weights) {
  if (!weights.file || !looks_like_safetensors(weights.file->bytes())) return {};
  return read_safetensors(weights.file).metadata;
}

void check_normalization(const Entries& metadata, const char* key, const float (&here)[3],
                         const std::string& source) {
  const auto entry = metadata.find(key);
  if (entry == metadata.end()) return;
  const auto list = Json::parse(entry->second, nullptr, /*allow_exceptions=*/false);
  bool equal = list.is_array() && list.size() == 3;
  for (size_t i = 0; equal && i < 3; ++i) {
    equal = list[i].is_number() && std::abs(list[i].get<double>() - here[i]) < 1e-3;
  }
  WF_CHECK(equal, source, ": '", key, "' in its metadata is ", entry->second.substr(0, 100),
           ", and this program normalizes images only with ", list_of(here).dump());
}

}  // namespace

std::map<std::string, std::string> weights_metadata(const Weights& weights) {
  std::map<std::string, std::string> out;
  if (!weights.classes.empty()) out["classes"] = Json(weights.classes).dump();
  if (!weights.settings.empty()) out[kSettingsMetadata] = Json(weights.settings).dump();
  if (rows_of(weights, "head.weight") > 0) {
    out["mean"] = list_of(kImagenetMean).dump();
    out["std"] = list_of(kImagenetStd).dump();
  }
  return out;
}

void check_metadata(const Weights& weights, const std::string& source) {
  const auto metadata = metadata_of(weights);
  check_normalization(metadata, "mean", kImagenetMean, source);
  check_normalization(metadata, "std", kImagenetStd, source);
  const auto rows = rows_of(weights, "head.weight");
  const auto named = static_cast<int64_t>(weights.classes.size());
  WF_CHECK(rows == 0 || named == 0 || named == rows, source, ": its metadata names ", named,
           " classes, and its head.weight has ", rows,
           " rows; convert it again from its checkpoint");
  const auto setting = weights.settings.find("MODEL.NUM_CLASSES");
  WF_CHECK(
      rows == 0 || setting == weights.settings.end() || setting->second == std::to_string(rows),
      source, ": MODEL.NUM_CLASSES in its metadata is ", setting->second,
      ", and its head.weight has ", rows, " rows; convert it again from its checkpoint");
}

}  // namespace wf
