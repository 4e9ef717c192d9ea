#pragma once

#include "weightformer/config/config.h"

#include <string>
#include <vector>

namespace wf {

/// The defaults, overridden by a YAML file (the files under its BASE, relative to it, are read
/// first), overridden by `opts`, KEY VALUE pairs. Throws wf::Error with one line, "file:line: key
/// …", for an invalid file, key or value, with the nearest known key. validate() finds
/// contradictions.
Config load_config(const std::string& path, const std::vector<std::string>& opts = {});

/// Sets one key from text, as --opts does. `origin` is stored and appears in error messages.
void set_key(Config& config, const std::string& key, const std::string& value,
             const std::string& origin);

}  // namespace wf
