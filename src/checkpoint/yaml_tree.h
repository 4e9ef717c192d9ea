#pragma once

#include "serialization/pickle.h"

#include <string>

namespace wf {

/// The YAML that describe.h's dump_yaml writes as plain dicts, lists, numbers and text.
pickle::Value* yaml_tree(pickle::Document& document, const std::string& yaml);

}  // namespace wf
