#pragma once

#include "weightformer/config/config.h"

#include <string>
#include <vector>

namespace wf {

/// The defaults, overlaid by a YAML file (those it names under BASE first, relative to it; "": no
/// file), overlaid by `opts`, KEY VALUE pairs. Throws wf::Error in one line, "file:line: key …",
/// naming the nearest known key, for anything that is not right. Contradictions are validate()'s
/// business.
Config load_config(const std::string& path, const std::vector<std::string>& opts = {});

/// Sets one key from a command line. A string key gets `value` literally, including blanks,
/// quotation marks and #; other keys take a number, true, [0.9, 0.95] or null. `origin` is stored
/// and shown in errors.
void set_key(Config& config, const std::string& key, const std::string& value,
             const std::string& origin);

}  // namespace wf
