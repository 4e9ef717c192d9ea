// Trains, evaluates or times a model: wf_train --cfg FILE. See --help and docs/config.md.

#include "checkpoint/checkpoint_observer.h"
#include "checkpoint/ema_snapshots.h"
#include "checkpoint/resume.h"
#include "checkpoint/saved_config.h"
#include "config/command_line.h"
#include "config/describe.h"
#include "core/atomic_file.h"
#include "core/stopwatch.h"
#include "engine/build.h"
#include "engine/run.h"
#include "engine/tasks.h"
#include "runtime/folder_lock.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
#include "tool.h"
#include "train.h"

#include <iostream>

using namespace wf;

static int train(const Run& run) {
  const auto& config = run.config;
  const TaskRequest request{run.env, run.device, run.ranks.get()};
  const auto setup = tasks().at(config.model.type).build(config, request);
  open_run_directory(run);
  log_cost(run, *setup.task->model());
  auto state = build_train_state(config, *setup.task, setup.train->batches(), run.env.world);
  std::shared_ptr<FolderLock> lock;
  std::vector<SavedCheckpoint> saved;
  run.ranks->on_root("checkpoint reading", [&] {
    lock = std::make_shared<FolderLock>(run.directory);
    saved = resume(config, run.directory, *setup.task,
                   setup.train->batches() / config.train.accumulation_steps, state);
  });
  run.ranks->broadcast(state);
  Trainer trainer(state, *setup.task, *setup.train,
                  build_trainer_options(config, run.device, run.ranks));
  if (trainer.done()) {
    warn_nothing_to_train(state.progress);
    run.ranks->on_root("end", [] {});  // no rank exits before the others know
    return 0;
  }
  // Not earlier: a run that was refused above must not overwrite this file.
  if (run.is_root()) write_text_file(run.directory + "/config.yaml", dump_yaml(config));
  for (auto& event : setup.task->events(run.validation_context(), run.directory)) {
    trainer.every(event.steps, std::move(event.run));
  }
  add_reports(trainer, run, setup);
  // Before the checkpoints, see there.
  trainer.add(
      std::make_shared<EmaSnapshotObserver>(run.directory, config.train.ema_snapshot_steps));
  trainer.add(std::make_shared<CheckpointObserver>(
      run.directory, checkpoint_options(config, run.env.world), std::move(saved), lock));
  catch_stop_signals(/*announce=*/run.is_root());
  const Stopwatch watch;
  const bool finished = trainer.run() == Outcome::finished;
  log::info("{} after {}: {}", finished ? "finished" : "stopped; the same command resumes",
            clock_time(watch.seconds()), run.directory);
  return 0;
}

static LaunchEnv launch_env(const CommandLine& arguments) {
  const auto env = read_launch_env();
  if (arguments.world == 0) return env;
  WF_CHECK(env.launcher == Launcher::none, "--world ", arguments.world, ": this process has been ",
           "started as rank ", env.rank, " of ", env.world, "; start it without a launcher");
  return simulated_rank(arguments.rank, arguments.world);
}

int main(int argc, char** argv) {
  prepare_process(argv);
  return run_tool(nullptr, [&] {
    const auto arguments = parse_train_arguments(argc, argv);
    if (!arguments.help.empty()) return std::cout << arguments.help, 0;
    auto config = evaluation_config(arguments.config);
    if (arguments.list_models) return std::cout << list_models(), 0;
    if (arguments.print_config) return std::cout << dump_yaml(config), 0;
    tasks().at(config.model.type).check(config);
    if (arguments.dry_run) config.data.cache_listing = false;  // it is a file
    auto run = start_run(config, launch_env(arguments));
    run.ranks->require_equal("batch size", arguments.auto_batch_size ? "auto" : "given",
                             "start all ranks with the same command");
    if (arguments.auto_batch_size) run.config = with_fitting_batch(run);
    if (arguments.dry_run) return dry_run(run);
    return config.eval_mode || config.throughput_mode ? evaluate_or_time(run) : train(run);
  });
}
