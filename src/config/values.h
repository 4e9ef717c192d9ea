// From YAML scalars and lists to typed values.
#pragma once

#include "config/keys.h"

#include <yaml-cpp/yaml.h>

#include <string>

namespace wf {

/// Converts `node` to the field's type and checks it against `constraint`. Throws wf::Error with
/// what was expected; the caller adds where.
void parse_value(const YAML::Node& node, bool& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, int64_t& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, double& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, std::string& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, Pair& field, const Constraint& constraint);
void parse_value(const YAML::Node& node, std::optional<Pair>& field, const Constraint& constraint);

/// "at least 1", "one of adamw, sgd"; "" for anything.
std::string describe(const Constraint& constraint);

}  // namespace wf
