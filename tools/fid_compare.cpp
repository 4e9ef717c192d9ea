#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/registry.h"
#include "fid_inputs.h"
#include "runtime/log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace wf {
namespace {

void warn_of_bias(const std::string& role, const FidSide& side, const std::string& distance) {
  const auto dim = side.set.pooled.dim();
  if (side.count == 0 || side.count > dim) return;
  log::warning(
      "{}: {} images for {} features: the {} is biased upwards, compare it only with one of as "
      "many images",
      role, side.count, dim, distance);
}

void print(const std::vector<Figure>& figures) {
  for (const auto& [key, label, value, note] : figures) {
    std::cout << fmt::format("{:<18}{:12.5f}  {}", label, value, note) << "\n";
  }
}

void write_result(const std::string& path, const std::vector<Figure>& figures,
                  const FidelitySettings& settings) {
  nlohmann::ordered_json json{{"figures", nlohmann::ordered_json::object()}, {"settings", {}}};
  for (const auto& figure : figures) json["figures"][figure.key] = figure.value;
  for (const auto& [name, value] : settings) json["settings"][name] = value;
  write_text_file(
      path, json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void write_side(const std::string& path, const FidSide& side) {
  auto settings = side.made_with;
  settings.insert(settings.end(), side.settings.begin(), side.settings.end());
  write_statistics(path, {side.set.pooled, side.set.spatial, settings});
  log::info("{}: statistics written", path);
}

void require_comparable(const FidSide& samples, const FidSide& reference) {
  if (samples.made_with.empty() || reference.made_with.empty()) return;
  const auto found = differences(samples.made_with, reference.made_with);
  WF_CHECK(found.empty(),
           "features of different settings cannot be compared (samples / reference): ",
           join(found, "; "));
}

}  // namespace

int compare_sets(const FidRequest& request) {
  const auto selection = parse_figures(request.figures);
  std::unique_ptr<FeatureNetwork> network;
  const auto needed = [&]() -> FeatureNetwork& {
    if (!network) network = load_feature_network(request);
    return *network;
  };
  const auto samples = open_side("samples", request.samples, request, selection, needed);
  if (!request.statistics.empty()) write_side(request.statistics, samples);
  if (request.reference.empty()) return 0;
  const auto reference = open_side("reference", request.reference, request, selection, needed);
  require_comparable(samples, reference);
  const auto distance =
      distance_name(samples.made_with.empty() ? reference.made_with : samples.made_with);
  network.reset();  // its memory is for the figures
  warn_of_bias("samples", samples, distance);
  warn_of_bias("reference", reference, distance);
  const auto figures = compute_figures(samples.set, reference.set, selection, distance);
  print(figures.all);
  if (!figures.left_out.empty()) log::info("left out: {}", join(figures.left_out, "; "));
  if (request.output.empty()) return 0;
  auto settings = samples.made_with.empty() ? reference.made_with : samples.made_with;
  for (const auto& more : {samples.settings, reference.settings, figure_settings()}) {
    settings.insert(settings.end(), more.begin(), more.end());
  }
  write_result(request.output, figures.all, settings);
  return 0;
}

}  // namespace wf
