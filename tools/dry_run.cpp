#include "engine/dry_run.h"

#include "weightformer/core/check.h"

#include "checkpoint/resume.h"
#include "checkpoint/saved_checkpoints.h"
#include "engine/build.h"
#include "engine/tasks.h"
#include "runtime/available_memory.h"
#include "runtime/log.h"
#include "train.h"

#include <fmt/format.h>

#include <iostream>
#include <sstream>

namespace wf {
namespace {

constexpr double kMiB = 1 << 20;

// Weights that the run would start from are read; those of an earlier run with this --tag are not,
// since resuming changes its directory.
void read_weights_of(const Run& run, const TaskSetup& setup, TrainState& state) {
  if (has_checkpoints(run.directory)) {
    log::info(
        "{}: has checkpoints, from which the run would resume; the dry run starts from new "
        "weights",
        run.directory);
    return;
  }
  const auto steps = setup.train->batches() / run.config.train.accumulation_steps;
  run.ranks->on_root("checkpoint reading", [&] {
    resume(run.config, run.directory + "/dry_run", *setup.task, steps, state);
  });
}

std::string batch_line(const Config& config, const Loader& train, int world) {
  const auto sample = train.read({0}).inputs;
  std::ostringstream shape;
  shape << "[" << config.data.batch_size;
  for (int64_t i = 1; i < sample.dim(); ++i) shape << ", " << sample.size(i);
  shape << "] " << sample.dtype();
  const auto parts = config.train.accumulation_steps, batch = config.data.batch_size;
  return fmt::format(
      "{}, {:.2f} MiB; {} x {} x {} = {} samples in a step (micro-batch x "
      "accumulated x processes)",
      shape.str(), static_cast<double>(sample.nbytes()) * batch / kMiB, batch, parts, world,
      batch * parts * world);
}

void print(const Run& run, const TaskSetup& setup, const TrainState& state, const FirstStep& step) {
  const auto line = [](const char* name, const std::string& text) {
    std::cout << fmt::format("{:<14} {}\n", name, text);
  };
  const auto& r = step.report();
  const int world = run.env.world;
  line("batch", batch_line(run.config, *setup.train, world));
  line("epoch", fmt::format("{} steps; {} in the run", state.progress.batches / r.step_batches,
                            state.schedule.total_steps));
  line("first step",
       fmt::format("loss {:.4f}, gradient norm {:.3f}, {:.2f} s, of which {:.2f} s "
                   "waiting for data; later steps are faster",
                   r.loss, r.grad_norm, step.seconds(), r.data_wait * step.seconds()));
  line("memory", fmt::format("{:.0f} MiB at most so far{}", r.memory_mib,
                             run.device.is_cpu() ? fmt::format("; {:.0f} MiB are still available",
                                                               available_memory() / kMiB)
                                                 : " in tensors on the GPU"));
  if (run.ranks->simulated()) {
    line("at the start", show(step.before()));
    line("each step",
         show(step.traffic()) + fmt::format("; each of {} processes sends {:.2f} MiB", world,
                                            bytes_sent(step.traffic(), world) / kMiB));
  }
  line("learning rate", "by step");
  std::cout << rate_table(state.schedule);
}

}  // namespace

int dry_run(const Run& run) {
  const auto& config = run.config;
  const TaskRequest request{run.env, run.device, run.ranks.get()};
  const auto setup = tasks().at(config.model.type).build(config, request);
  log_cost(run, *setup.task->model());
  auto state = build_train_state(config, *setup.task, setup.train->batches(), run.env.world);
  read_weights_of(run, setup, state);
  run.ranks->broadcast(state);
  Trainer trainer(state, *setup.task, *setup.train,
                  build_trainer_options(config, run.device, run.ranks));
  if (trainer.done()) return warn_nothing_to_train(state.progress), 0;
  const auto step = std::make_shared<FirstStep>(run.ranks);
  trainer.add(step);
  trainer.run();
  run.ranks->on_root("report", [&] { print(run, setup, state, *step); });
  return 0;
}

}  // namespace wf
