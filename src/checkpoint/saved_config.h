#pragma once

#include "weightformer/config/config.h"

#include <optional>
#include <string>

namespace wf {

/// The settings that the weights in `path` were trained with, with defaults for keys that the file
/// does not have; nothing when it has no configuration (bare weights, safetensors). Throws
/// wf::Error when the file cannot be read.
std::optional<Config> saved_config(const std::string& path);

}  // namespace wf
