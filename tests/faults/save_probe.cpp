// A run of epochs of two steps, whose validations are known in advance, as save_kill_test.cpp kills
// and resumes it: save_probe DIRECTORY EPOCHS. Prints the best validation. WF_KEEP in the
// environment is the number of checkpoints that are kept, otherwise 1.

#include "checkpoint/checkpoint_observer.h"
#include "checkpoint/resume.h"
#include "engine/metrics_observer.h"
#include "support/quadratic_task.h"

#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

using namespace wf;

constexpr int64_t kStepsPerEpoch = 2, kBatch = 8;

// Lower is better: the best one changes after the epochs 1, 2 and 3, which is as good as 2.
constexpr double kLosses[] = {5, 3, 3, 4};

class ScriptedTask : public testing::QuadraticTask {
 public:
  explicit ScriptedTask(const Progress& progress) : progress_(progress) {}
  std::optional<Metrics> validate(const ValidationContext&) override {
    Metrics metrics;
    metrics.add(kLoss, kLosses[progress_.step / kStepsPerEpoch - 1]);
    return metrics;
  }

 private:
  const Progress& progress_;
};

void run(const std::string& directory, int64_t epochs) {
  const Config config;
  TrainState state;
  ScriptedTask task(state.progress);
  LoaderOptions loading;
  loading.batch_size = kBatch;
  loading.train = loading.drop_last = true;
  constexpr int64_t kSamples = kStepsPerEpoch * kBatch;
  Loader train(std::make_shared<testing::PointReader>(kSamples),
               Sampler(kSamples, /*shuffle=*/true, loading.seed), loading);
  state.model = task.model();
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
  state.schedule.base_lr = 0.1;
  auto saved = resume(config, directory, task, kStepsPerEpoch, state);
  TrainerOptions options;
  options.epochs = epochs;
  Trainer trainer(state, task, train, options);
  trainer.add(std::make_shared<MetricsObserver>(directory + "/metrics.jsonl"));
  CheckpointOptions checkpoints;
  const char* keep = std::getenv("WF_KEEP");
  checkpoints.keep = keep ? std::strtoul(keep, nullptr, 10) : 1;
  trainer.add(std::make_shared<CheckpointObserver>(directory, checkpoints, std::move(saved)));
  trainer.run();
  std::cout << state.progress.best_metric << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: save_probe DIRECTORY EPOCHS\n", 2;
  try {
    run(argv[1], std::atoi(argv[2]));
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "error: " << problem.what() << "\n";
    return 1;
  }
}
