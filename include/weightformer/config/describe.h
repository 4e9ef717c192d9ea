#pragma once

#include "weightformer/config/config.h"

#include <string>

namespace wf {

/// All keys with their values as YAML; load_config() reads it back to an equal Config.
std::string dump_yaml(const Config& config);

/// docs/config.md: every key with type, default, allowed values and help.
std::string describe_markdown();

}  // namespace wf
