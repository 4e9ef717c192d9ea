#pragma once

#include <string>

namespace wf {

/// The commit that this program was built from, as `git describe` names it; "unknown" without git.
std::string git_version();

/// "weightformer 0.1.0 (3f2a9c1)": the release and git_version(), as --version prints them.
std::string version_text();

}  // namespace wf
