#pragma once

#include "weightformer/config/config.h"

#include <string>
#include <vector>

namespace wf {

/// All keys with their values as YAML; load_config() reads it back to an equal Config.
std::string dump_yaml(const Config& config);

/// "TRAIN.EPOCHS 300 → 310" for each key that two configurations have otherwise, in order.
std::vector<std::string> differences(const Config& before, const Config& now);

/// docs/config.md: every key with type, default, allowed values and help.
std::string describe_markdown();

}  // namespace wf
