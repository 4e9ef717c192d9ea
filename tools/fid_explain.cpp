#include "weightformer/core/check.h"

#include "core/mapped_file.h"
#include "core/text.h"
#include "fid_inputs.h"
#include "metrics/statistics_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace wf {
namespace {

using Json = nlohmann::ordered_json;

struct Result {
  FidelitySettings settings;
  std::vector<std::pair<std::string, double>> figures;
};

Result read_result(const std::string& path) {
  if (ends_with(path, ".npz")) {
    const auto file = read_statistics(path);
    WF_CHECK(!file.settings.empty(), path,
             ": statistics of another program, which do not say how they were made");
    return {file.settings, {}};
  }
  const MappedFile file(path);
  const auto json = Json::parse(file.bytes(), nullptr, /*allow_exceptions=*/false);
  const auto is_result = [&] {
    return json.is_object() && json.contains("figures") && json["figures"].is_object() &&
           json.contains("settings") && json["settings"].is_object();
  };
  WF_CHECK(is_result(), path, ": no result of wf_fid --output");
  Result out;
  for (const auto& [name, value] : json["settings"].items()) {
    out.settings.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  for (const auto& [name, value] : json["figures"].items()) {
    if (value.is_number()) out.figures.emplace_back(name, value.get<double>());
  }
  return out;
}

}  // namespace

int explain_results(const std::string& first, const std::string& second) {
  const auto a = read_result(first), b = read_result(second);
  for (const auto& [name, value] : a.figures) {
    for (const auto& [other, its] : b.figures) {
      if (name == other) std::cout << fmt::format("{:<22}{:12.5g}  {:12.5g}\n", name, value, its);
    }
  }
  const auto found = differences(a.settings, b.settings);
  std::cout << (found.empty() ? "no setting differs\n" : "settings that differ:\n");
  for (const auto& line : found) std::cout << "  " << line << "\n";
  return 0;
}

}  // namespace wf
