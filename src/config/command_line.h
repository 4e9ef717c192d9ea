#pragma once

#include "weightformer/config/config.h"

#include <string>

namespace wf {

/// What wf_train was asked to do.
struct CommandLine {
  Config config;
  std::string help;           ///< not empty: --help; print it and end
  bool print_config = false;  ///< --print-config: print the effective configuration and end
};

/// The flags of the published main.py. Flags win over --opts, which win over the file. The
/// configuration returned is validated. Throws wf::Error in one line for a bad command.
CommandLine parse_train_arguments(int argc, const char* const* argv);

}  // namespace wf
