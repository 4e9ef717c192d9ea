// From YAML scalars and lists to typed values.
#pragma once

#include "config/keys.h"

#include <yaml-cpp/yaml.h>

#include <string>

namespace wf {

/// Converts `node` to the field's type and holds it to `rule`. Throws wf::Error with what was
/// expected; the caller adds where.
void parse_value(const YAML::Node& node, bool& field, const Rule& rule);
void parse_value(const YAML::Node& node, int64_t& field, const Rule& rule);
void parse_value(const YAML::Node& node, double& field, const Rule& rule);
void parse_value(const YAML::Node& node, std::string& field, const Rule& rule);
void parse_value(const YAML::Node& node, Pair& field, const Rule& rule);
void parse_value(const YAML::Node& node, std::optional<Pair>& field, const Rule& rule);

/// "at least 1", "one of adamw, sgd"; "" for anything.
std::string describe(const Rule& rule);

}  // namespace wf
