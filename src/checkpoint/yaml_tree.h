#pragma once

#include "weightformer/config/config.h"

#include "serialization/pickle.h"

#include <string>

namespace wf {

/// The YAML that describe.h's dump_yaml writes as plain dicts, lists, numbers and text.
pickle::Value* yaml_tree(pickle::Document& document, const std::string& yaml);

/// The way back: `otherwise` with the values that `tree` has. Keys and values that are unknown
/// here, as in a file of the published trainer, are left out.
Config config_in(const pickle::Value& tree, Config otherwise);

}  // namespace wf
