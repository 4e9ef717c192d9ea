#include "weightformer/serialization/safetensors.h"

#include "engine/inspect/effective_field.h"
#include "erf.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

namespace wf {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const FieldMap& field) {
  Json areas = Json::object();
  for (const double part : kFieldParts)
    areas[fmt::format("{}", part)] = area_ratio(field.map, part);
  Json out{{"maximum", field.map.max().item<double>()},
           {"sum", field.map.sum().item<double>()},
           {"areas", areas}};
  if (!field.file.empty()) out["weights"] = field.file;
  return out;
}

}  // namespace

std::string fields_as_json(const FieldSheet& sheet) {
  Json columns = Json::array();
  for (const auto& column : sheet.columns) {
    Json entry{{"title", column.title},
               {"linear_predictor", column.linear},
               {"conv_predictor", column.conv},
               {"before", describe(column.before)}};
    if (column.after) entry["after"] = describe(*column.after);
    columns.push_back(std::move(entry));
  }
  const auto& map = sheet.columns.at(0).before.map;
  const Json out{{"images", sheet.images},
                 {"height", map.size(0)},
                 {"width", map.size(1)},
                 {"columns", columns}};
  // The name of a file may not be UTF-8, which JSON is.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_maps(const FieldSheet& sheet, const std::string& path) {
  TensorMap maps;
  for (size_t i = 0; i < sheet.columns.size(); ++i) {
    const auto& column = sheet.columns[i];
    maps[fmt::format("before.{}", i)] = column.before.map;
    if (column.after) maps[fmt::format("after.{}", i)] = column.after->map;
  }
  write_safetensors(path, {std::move(maps), {}});
}

}  // namespace wf
