#pragma once

#include "weightformer/config/config.h"

#include <string>

namespace wf {

/// The parsed command line of wf_train.
struct CommandLine {
  Config config;
  std::string help;              ///< not empty: --help was given; print this and exit
  bool list_models = false;      ///< --list-models: print the names of the models and exit
  bool print_config = false;     ///< --print-config: print the effective configuration and exit
  bool auto_batch_size = false;  ///< --batch-size auto: the largest micro-batch that fits
  bool dry_run = false;          ///< --dry-run: one step, no files
  int world = 0, rank = 0;       ///< --world, --rank of a simulated run; world 0: none
};

/// Takes the flags of the reference implementation's main.py. Flags override --opts, which override
/// the file. The returned configuration is validated. Throws wf::Error with a one-line message for
/// a bad command, and CLI::CallForVersion for --version.
CommandLine parse_train_arguments(int argc, const char* const* argv);

}  // namespace wf
