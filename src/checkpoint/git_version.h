#pragma once

#include <string>

namespace wf {

/// The commit that this program was built from, as `git describe` names it; "unknown" without git.
std::string git_version();

}  // namespace wf
