// The C++ half of dit_in_python.py: training steps of a denoiser on a fixed batch.
//   dit_probe write DIRECTORY    two steps → ours.pth; one more → ours_stepped.pth
//   dit_probe resume DIRECTORY   batch.pth and theirs.pt (of Python), one step → theirs_stepped.pth

#include "weightformer/models/dit.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_file.h"
#include "support/fill.h"

#include <torch/types.h>

#include <exception>
#include <iostream>

namespace {

using namespace wf;

struct Batch {
  at::Tensor x = testing::filled("input.x", {4, 4, 8, 8});
  at::Tensor t = torch::tensor({1.f, 7.f, 300.f, 999.f});
  at::Tensor y = torch::tensor({1, 7, 3, 10});
};

constexpr double kRate = 1e-3, kDecay = 0.9;
constexpr int64_t kStepsPerEpoch = 2;

TrainState fresh_state() {
  TrainState state;
  state.model = std::make_shared<DiTImpl>(dit_options("dit_nano").num_classes(10));
  testing::fill_parameters(*state.model);
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0));
  state.emas.push_back(std::make_unique<Ema>(*state.model, kDecay));
  state.schedule.kind = LrScheduleKind::constant;
  state.schedule.base_lr = kRate;
  state.task_state["window"] = torch::zeros({2});  // which DiT's files have not
  return state;
}

void step(TrainState& state, const Batch& batch) {
  auto& model = dynamic_cast<DiTImpl&>(*state.model);
  model.eval();  // no dropped labels
  state.optimizer->zero_grad();
  model.forward(batch.x, batch.t, batch.y).square().mean().backward();
  state.optimizer->step(kRate);
  state.progress.step += 1;
  for (const auto& ema : state.emas) ema->update(state.progress.step);
}

void run(const std::string& what, const std::string& directory) {
  const Batch batch;
  auto state = fresh_state();
  if (what == "write") {
    TensorTree tree;
    const TensorMap tensors{{"x", batch.x}, {"t", batch.t}, {"y", batch.y}};
    tree.write(directory + "/batch.pth", *tree.of({"x", "t", "y"}, tensors));
    for (int i = 0; i < 2; ++i) step(state, batch);
    save_checkpoint(directory + "/ours.pth", state);
    step(state, batch);
    save_checkpoint(directory + "/ours_stepped.pth", state);
    return;
  }
  CheckpointFile(directory + "/theirs.pt").load_into(state, kStepsPerEpoch);
  const auto& at = state.progress;
  std::cout << at.step << " " << at.epoch << " " << at.batch << " " << at.batches << "\n";
  step(state, batch);
  save_checkpoint(directory + "/theirs_stepped.pth", state);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: dit_probe write|resume DIRECTORY\n", 2;
  try {
    run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "error: " << problem.what() << "\n";
    return 1;
  }
}
