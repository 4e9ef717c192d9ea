#pragma once

#include "config/scope.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace wf {

/// What a value must satisfy beyond its type. An enum needs none: its names are in config/enums.h.
struct Constraint {
  static constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  double min = -kUnlimited;
  double max = kUnlimited;
  bool below_max = false;  ///< max itself is not allowed
  std::vector<std::string> choices = {};
};

inline Constraint at_least(double min) { return {min, Constraint::kUnlimited, false, {}}; }
inline Constraint between(double min, double max) { return {min, max, false, {}}; }
inline Constraint from_to_below(double min, double max) { return {min, max, true, {}}; }
/// Any int64 that is not negative; other integers without a limit of their own are counts.
inline Constraint seed() { return between(0, 0x1p63); }
inline Constraint one_of(std::vector<std::string> choices) {
  return {-Constraint::kUnlimited, Constraint::kUnlimited, false, std::move(choices)};
}

struct Key {
  const char* name;
  const char* help;
  Constraint constraint = {};
  Scope scope = Scope::training;
};

}  // namespace wf
