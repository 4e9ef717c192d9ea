#include "metrics/statistics_file.h"

#include "weightformer/core/check.h"

#include "core/npz.h"
#include "core/registry.h"

#include <torch/types.h>

#include <algorithm>
#include <sstream>

namespace wf {
namespace {

constexpr const char* kSettings = "settings.txt";

const std::string* value_of(const FidelitySettings& settings, const std::string& name) {
  for (const auto& [key, value] : settings) {
    if (key == name) return &value;
  }
  return nullptr;
}

// Far more than any network's features, whose covariance takes the square of it.
constexpr int64_t kMostFeatures = 16384;

// Before the array is unpacked, as a small file may unpack to more than the memory.
void require_size(const NpzFile& file, const std::string& name, int64_t most) {
  constexpr uint64_t kHeader = 4096;
  const auto limit = static_cast<uint64_t>(most) * sizeof(double) + kHeader;
  WF_CHECK(file.size(name) <= limit, file.path(), ": ", name, " has ", file.size(name),
           " bytes, more than ", most, " numbers");
}

at::Tensor read_finite(const NpzFile& file, const std::string& name) {
  const auto array = file.read(name).to(torch::kDouble);
  WF_CHECK(array.isfinite().all().item<bool>(), file.path(), ": ", name,
           " holds numbers that are not finite; make the statistics again");
  return array;
}

FeatureStatistics read_gaussian(const NpzFile& file, const std::string& suffix) {
  const auto mean = "mu" + suffix, covariance = "sigma" + suffix;
  WF_CHECK(file.has(mean) && file.has(covariance), file.path(), ": statistics need the arrays ",
           mean, " and ", covariance, ", and it has ", join(file.names(), ", "));
  require_size(file, mean, kMostFeatures);
  FeatureStatistics out{read_finite(file, mean), {}};
  const auto d = out.mean.numel();
  require_size(file, covariance, d * d);
  out.covariance = read_finite(file, covariance);
  WF_CHECK(out.mean.dim() == 1 && d > 0 && out.covariance.sizes() == at::IntArrayRef({d, d}),
           file.path(), ": expected ", mean, " [D] and ", covariance, " [D, D], got ",
           out.mean.sizes(), " and ", out.covariance.sizes());
  return out;
}

FidelitySettings parse_settings(const std::string& text) {
  FidelitySettings out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos) out.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return out;
}

}  // namespace

std::vector<std::string> differences(const FidelitySettings& a, const FidelitySettings& b) {
  std::vector<std::string> out;
  for (const auto& [name, value] : a) {
    const auto* other = value_of(b, name);
    if (!other || *other != value)
      out.push_back(name + ": " + value + " / " + (other ? *other : "-"));
  }
  for (const auto& [name, value] : b) {
    if (!value_of(a, name)) out.push_back(name + ": - / " + value);
  }
  return out;
}

bool has_statistics(const std::string& path) { return NpzFile(path).has("mu"); }

StatisticsFile read_statistics(const std::string& path) {
  const NpzFile file(path);
  StatisticsFile out{read_gaussian(file, ""), std::nullopt, {}};
  if (file.has("mu_s")) out.spatial = read_gaussian(file, "_s");
  if (file.has("count")) {
    const auto count = file.read("count");
    WF_CHECK(count.numel() == 1, path, ": count is an array ", count.sizes(),
             ", expected a number");
    out.pooled.count = count.item<int64_t>();
    if (out.spatial) out.spatial->count = out.pooled.count;
  }
  if (file.has_text(kSettings)) out.settings = parse_settings(file.text(kSettings));
  return out;
}

void write_statistics(const std::string& path, const StatisticsFile& statistics) {
  NpzContent content;
  content.arrays = {{"mu", statistics.pooled.mean},
                    {"sigma", statistics.pooled.covariance},
                    {"count", torch::tensor(statistics.pooled.count, torch::kLong)}};
  if (statistics.spatial) {
    content.arrays["mu_s"] = statistics.spatial->mean;
    content.arrays["sigma_s"] = statistics.spatial->covariance;
  }
  std::string text;
  for (const auto& [name, value] : statistics.settings) text += name + ": " + value + "\n";
  content.texts[kSettings] = text;
  write_npz(path, content);
}

}  // namespace wf
