// From YAML scalars and lists to typed values.
#pragma once

#include "config/keys.h"
#include "core/registry.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

namespace wf {

/// `text` in quotation marks for a message: on one line, at most 40 characters of it.
std::string quoted(std::string text);

/// Converts `node` to the field's type and checks it against `constraint`. Throws wf::Error with
/// what was expected; the caller adds the location.
void parse_value(const YAML::Node& node, bool& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, int64_t& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, double& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, std::string& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, AmpMode& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, Pair& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, std::vector<double>& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, std::optional<Pair>& field, const Constraint& constraint);

/// The names of an enum's values: "one of adamw, sgd".
template <typename Enum>
std::string describe_names() {
  std::vector<std::string> names;
  for (const auto& [name, value] : enum_names(Enum{})) names.emplace_back(name);
  return "one of " + join(names, ", ");
}

template <typename Enum, typename = std::enable_if_t<std::is_enum_v<Enum>>>
void parse_value(const YAML::Node& node, Enum& field, const Constraint&) {
  std::string text;
  parse_value(node, text, {});
  const auto table = enum_names(Enum{});
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const auto& entry) { return text == entry.first; });
  WF_CHECK(found != table.end(), "must be ", describe_names<Enum>(), ", got ", quoted(text));
  field = found->second;
}

/// "at least 1", "one of adamw, sgd"; "" for anything.
std::string describe(const Constraint& constraint);

}  // namespace wf
