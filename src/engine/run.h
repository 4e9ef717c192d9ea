#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/task.h"

#include "dist/launch_env.h"
#include "engine/distributed.h"

#include <c10/core/Device.h>

#include <memory>
#include <string>

namespace wf {

/// One process of a run: its device, ranks and run directory.
struct Run {
  Config config;
  LaunchEnv env;
  c10::Device device = c10::kCPU;
  std::shared_ptr<Distributed> ranks;
  std::string directory;  ///< OUTPUT/NAME/TAG

  bool is_root() const { return ranks->is_root(); }
  ValidationContext validation_context() const;
};

/// Warns that the run has already ended, and how to continue.
void warn_nothing_to_train(const Progress& progress);

/// Chooses device and threads, connects to the other ranks, and seeds the default generator, from
/// which initial weights are drawn. Throws wf::Error, also when the run directory cannot be made;
/// it writes nothing.
Run start_run(const Config& config, const LaunchEnv& env);

/// Creates the run directory and opens the log in it, with the lines so far. To be called once
/// model and data are known to exist, so that a mistake in the command leaves no directory.
void open_run_directory(const Run& run);

}  // namespace wf
