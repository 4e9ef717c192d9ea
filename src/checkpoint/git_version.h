#pragma once

#include <string>

namespace wf {

/// The commit that this program was built from, as `git describe` names it; "unknown" without git.
std::string git_version();

/// What --version prints: "weightformer 0.2.0 (3f2a9c1)", the release and git_version(), and in a
/// second line the libraries and the compiler of this build, with their versions.
std::string version_text();

}  // namespace wf
