#include "engine/run.h"

#include "weightformer/core/check.h"

#include "engine/build.h"
#include "runtime/cpu_threads.h"
#include "runtime/log.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>

namespace wf {
namespace {

void open_directory(const std::string& directory, int rank) {
  std::error_code problem;
  std::filesystem::create_directories(directory, problem);
  WF_CHECK(!problem, directory,
           ": cannot create the run directory (--output): ", problem.message());
  log::open(directory + (rank == 0 ? "/log.txt" : str("/log_rank_", rank, ".txt")));
}

}  // namespace

ValidationContext Run::validation_context() const { return {*ranks, device, build_amp(config)}; }

void warn_nothing_to_train(const Progress& progress) {
  log::warning(
      "nothing to train: the run ended at epoch {}, step {}; raise TRAIN.EPOCHS or TRAIN.STEPS, or "
      "start from its weights with --pretrained and another --tag",
      progress.epoch, progress.step);
}

Run start_run(const Config& config, const LaunchEnv& env) {
  WF_CHECK(env.world == 1 || !config.throughput_mode, "WORLD_SIZE=", env.world,
           ": --throughput times a single process");
  Run run;
  run.config = config;
  run.env = env;
  run.directory = run_folder(config);
  open_directory(run.directory, env.rank);
  set_threads(static_cast<int>(config.threads), env.local_world);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
  run.device = build_device(config, env);
  // Before the ranks compare their settings: all must compute in the same precision.
  run.config.amp = resolve_amp(config, run.device);
  run.ranks = build_distributed(run.config, env, run.device);
  // Not before the ranks have met: that a rank waits for rank 0 must be seen.
  if (env.rank > 0) log::only_errors_on_terminal();
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
