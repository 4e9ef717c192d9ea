// The configuration that a file of weights has with it, as words.
#pragma once

#include <map>
#include <string>

namespace wf {

/// Keys and values as they would be typed after --opts: {"MODEL.NAME", "wfm_tiny"},
/// {"DATA.IMG_SIZE", "96"}. Empty for bare weights.
using Settings = std::map<std::string, std::string>;

/// The entry of safetensors metadata that holds Settings as a JSON object.
constexpr const char* kSettingsMetadata = "config";

}  // namespace wf
