#include "checkpoint/git_version.h"

namespace wf {

std::string git_version() { return WF_GIT_VERSION; }

}  // namespace wf
