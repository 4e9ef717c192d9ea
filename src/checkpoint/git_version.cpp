#include "checkpoint/git_version.h"

namespace wf {

std::string git_version() { return WF_GIT_VERSION; }

std::string version_text() {
  return "weightformer " WF_VERSION " (" + git_version() + ")\n" WF_LIBRARIES;
}

}  // namespace wf
