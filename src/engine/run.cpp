#include "engine/run.h"

#include "weightformer/core/check.h"

#include "engine/build.h"
#include "runtime/cpu_threads.h"
#include "runtime/log.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace wf {
namespace {

// Throws wf::Error unless the directory exists or can be made, without making it.
void require_creatable(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  auto parent = fs::absolute(directory);
  while (!fs::exists(fs::symlink_status(parent, ignored)) && parent != parent.parent_path()) {
    parent = parent.parent_path();
  }
  const bool directory_here = fs::is_directory(parent, ignored);
  const int problem =
      directory_here ? (::access(parent.c_str(), W_OK | X_OK) == 0 ? 0 : errno) : ENOTDIR;
  WF_CHECK(problem == 0, directory,
           ": cannot create the run directory (--output): ", std::strerror(problem),
           parent == fs::absolute(directory) ? "" : ": " + parent.string());
}

}  // namespace

ValidationContext Run::validation_context() const { return {*ranks, device, build_amp(config)}; }

void warn_nothing_to_train(const Progress& progress) {
  log::warning(
      "nothing to train: the run ended at epoch {}, step {}; raise TRAIN.EPOCHS or TRAIN.STEPS, or "
      "start from its weights with --pretrained and another --tag",
      progress.epoch, progress.step);
}

void open_run_directory(const Run& run) {
  std::error_code problem;
  std::filesystem::create_directories(run.directory, problem);
  WF_CHECK(!problem, run.directory,
           ": cannot create the run directory (--output): ", problem.message());
  const int rank = run.env.rank;
  log::open(run.directory + (rank == 0 ? "/log.txt" : str("/log_rank_", rank, ".txt")));
}

Run start_run(const Config& config, const LaunchEnv& env) {
  WF_CHECK(env.world == 1 || !config.throughput_mode, "WORLD_SIZE=", env.world,
           ": --throughput times a single process");
  Run run;
  run.config = config;
  run.env = env;
  run.directory = run_folder(config);
  require_creatable(run.directory);
  set_threads(static_cast<int>(config.threads), env.local_world);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
  run.device = build_device(config, env);
  // Before the ranks compare their settings: all must compute in the same precision.
  run.config.amp = resolve_amp(config, run.device);
  run.ranks = build_distributed(run.config, env, run.device);
  // Not before the ranks have met: that a rank waits for rank 0 must be seen.
  if (!run.is_root()) log::only_errors_on_terminal();
  log::info("{} on {}, {} threads ({}), rank {} of {}, run directory {}", config.model.name,
            run.device.str(), at::get_num_threads(), waiting_policy(), env.rank, env.world,
            run.directory);
  if (config.amp == AmpMode::off && config.origins.count("AMP_DTYPE")) {
    log::warning("AMP_DTYPE {} has no effect without --amp", name_of(config.amp_dtype));
  }
  if (config.test.ema && !config.eval_mode) {
    log::warning("TEST.EMA true has no effect without --eval");
  }
  return run;
}

}  // namespace wf
