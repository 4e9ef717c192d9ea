// The C++ half of resume_in_python.py: three training steps on numbers rebuilt from names, and
// files for Python to resume.
//   resume_probe write DIRECTORY    two steps → ours.pth; one more → ours_stepped.pth; batch.pth
//   resume_probe resume DIRECTORY   theirs.pth (of Python), one step → theirs_stepped.pth

#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_file.h"
#include "support/fill.h"

#include <torch/types.h>

#include <exception>
#include <iostream>

namespace {

using namespace wf;

struct Batch {
  at::Tensor x = testing::filled("input.x", {4, 3, 64, 64});
  at::Tensor y = torch::tensor({1, 7, 3, 3});
};

TrainState fresh_state() {
  TrainState state;
  state.model = create_classifier("wfm_nano");
  testing::fill_parameters(*state.model);
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
  state.schedule.base_lr = 1e-3;
  state.schedule.warmup_lr = 1e-5;
  state.schedule.total_steps = 40;
  state.schedule.warmup_steps = 8;
  state.metadata = {{"classes", {"a", "b"}}};
  state.config.seed = 3;
  return state;
}

void step(TrainState& state, const Batch& batch) {
  state.model->train();
  state.optimizer->zero_grad();
  at::cross_entropy_loss(std::static_pointer_cast<Classifier>(state.model)->forward(batch.x),
                         batch.y)
      .backward();
  state.optimizer->step(learning_rate(state.schedule, state.progress.step - 1));
  state.progress.step += 1;
}

void run(const std::string& what, const std::string& folder) {
  const Batch batch;
  auto state = fresh_state();
  if (what == "write") {
    TensorTree tree;
    const TensorMap tensors{{"x", batch.x}, {"y", batch.y}};
    tree.write(folder + "/batch.pth", *tree.of({"x", "y"}, tensors));
    for (int i = 0; i < 2; ++i) step(state, batch);
    state.progress.epoch = 1;
    state.progress.best_metric = 12.5;
    save_checkpoint(folder + "/ours.pth", state);
    step(state, batch);
    save_checkpoint(folder + "/ours_stepped.pth", state);
    return;
  }
  CheckpointFile(folder + "/theirs.pth").load_into(state, /*steps_per_epoch=*/3);
  step(state, batch);
  save_checkpoint(folder + "/theirs_stepped.pth", state);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: resume_probe write|resume DIRECTORY\n", 2;
  try {
    run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "error: " << problem.what() << "\n";
    return 1;
  }
}
