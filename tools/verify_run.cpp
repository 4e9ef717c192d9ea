#include "verify_run.h"

#include "weightformer/core/random.h"

#include "checkpoint/saved_checkpoints.h"
#include "compare_checkpoints.h"
#include "config/load.h"
#include "engine/build.h"
#include "engine/report/run_files.h"
#include "engine/tasks.h"
#include "replay.h"
#include "runtime/cpu_threads.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <chrono>
#include <iostream>

namespace wf {
namespace {

// A checkpoint and one that was saved after it, at a later step.
std::pair<SavedCheckpoint, SavedCheckpoint> choose(const VerifyOptions& options) {
  const auto saved = list_checkpoints(options.directory);
  std::vector<std::pair<SavedCheckpoint, SavedCheckpoint>> pairs;
  for (size_t i = 1; i < saved.size(); ++i) {
    if (saved[i - 1].step < saved[i].step) pairs.emplace_back(saved[i - 1], saved[i]);
  }
  WF_CHECK(!pairs.empty(), options.directory,
           ": a run is verified between two checkpoints (ckpt_*.pth), and it has ", saved.size());
  const auto clock = std::chrono::system_clock::now().time_since_epoch().count();
  CounterRng rng{static_cast<uint64_t>(options.seed < 0 ? clock : options.seed)};
  return pairs[rng.below(static_cast<int64_t>(pairs.size()))];
}

}  // namespace

int verify_run(const VerifyOptions& options) {
  auto config = load_config(options.directory + "/config.yaml", options.opts);
  const auto [from, to] = choose(options);
  set_threads(static_cast<int>(config.threads), /*processes=*/1);
  const auto device = build_device(config);
  config.amp = resolve_amp(config, device);
  const auto setup = tasks().at(config.model.type).build(config, {{}, device});
  auto state = build_train_state(config, *setup.task, setup.train->batches(), /*world=*/1);
  CheckpointFile(from.path).load_into(state);
  WF_CHECK(state.progress.global_batch_size == config.data.batch_size, from.path,
           ": trained by several processes (", state.progress.global_batch_size,
           " images in a batch of all); only runs of a single process can be verified");
  std::map<int64_t, double> losses;
  for (const auto& line : read_run(options.directory).steps) {
    losses[line.value("step", int64_t{0})] = number_at(line, "loss");
  }
  const auto replay = std::make_shared<Replay>(std::move(losses), to.step);
  auto training = build_trainer_options(config, device, std::make_shared<Distributed>());
  training.validate_epochs = training.validate_steps = 0;
  Trainer trainer(state, *setup.task, *setup.train, training);
  trainer.add(replay);
  std::cout << fmt::format("replaying steps {} to {}, from {} to {}\n", from.step + 1, to.step,
                           from.path, to.path)
            << std::flush;
  try {
    trainer.run();
    throw Error("the training ended before step " + std::to_string(to.step));
  } catch (const EndReached&) {
  }
  const auto tensors = compare_checkpoint(to.path, state);
  const auto& different = replay->different().empty() ? tensors.different : replay->different();
  std::cout << (different.empty() ? fmt::format("bit-equal: {} tensors, {} losses\n",
                                                tensors.compared, replay->compared())
                                  : "different: " + different + "\n");
  return different.empty() ? 0 : 1;
}

}  // namespace wf
