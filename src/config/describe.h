#pragma once

#include "weightformer/config/config.h"

#include "config/scope.h"

#include <set>
#include <string>
#include <vector>

namespace wf {

/// All keys with their values as YAML; load_config() reads it back to an equal Config.
std::string dump_yaml(const Config& config);

/// A key and its texts as dump_yaml() writes them.
struct Setting {
  std::string name, value, default_value;
  Scope scope;
};

/// All settings, in order.
std::vector<Setting> all_settings(const Config& config);

/// "TRAIN.EPOCHS: 300" for each key of `scopes`, one per line.
std::string list_settings(const Config& config, const std::set<Scope>& scopes);

/// The same for the keys that begin with one of `prefixes`: "SAMPLE.".
std::string list_settings(const Config& config, const std::vector<std::string>& prefixes);

/// "TRAIN.EPOCHS 300 → 310" for each key of `scopes` whose values differ, in order.
std::vector<std::string> differences(const Config& before, const Config& now,
                                     const std::set<Scope>& scopes);

/// docs/config.md: every key with type, default, allowed values, scope and help.
std::string describe_markdown();

}  // namespace wf
