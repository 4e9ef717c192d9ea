#include "weightformer/engine/trainer.h"

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_file.h"
#include "engine/distributed.h"
#include "runtime/stop_signal.h"
#include "support/quadratic_task.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <map>

namespace wf::testing {
namespace {

class StopAt : public Observer {
 public:
  explicit StopAt(int64_t step) : step_(step) {}
  void on_step(const TrainState& state, const StepReport&) override {
    if (state.progress.step == step_) request_stop();
  }

 private:
  int64_t step_;
};

// All events that observers receive.
class Collect : public Observer {
 public:
  explicit Collect(int64_t loss_every = 0) : loss_every_(loss_every) {}
  bool needs_loss(const StepReport& next) const override {
    return loss_every_ > 0 && next.step % loss_every_ == 0;
  }
  void on_step(const TrainState&, const StepReport& report) override {
    if (report.has_loss) steps.push_back(report);
  }
  void on_validation(const TrainState& state, const ValidationReport& report) override {
    validations[state.progress.step] = report;
  }
  void on_epoch_end(const TrainState&, const EpochReport& report) override {
    epochs.push_back(report);
  }
  std::vector<int64_t> steps_with_loss() const {
    std::vector<int64_t> out;
    for (const auto& report : steps) out.push_back(report.step);
    return out;
  }
  std::vector<StepReport> steps;
  std::map<int64_t, ValidationReport> validations;
  std::vector<EpochReport> epochs;

 private:
  int64_t loss_every_;
};

std::shared_ptr<Collect> collect(QuadraticRun& run, int64_t loss_every = 0) {
  auto out = std::make_shared<Collect>(loss_every);
  run.trainer->add(out);
  return out;
}

void expect_same_bits(const TrainState& a, const TrainState& b) {
  const auto ours = state_dict(*a.model), theirs = state_dict(*b.model);
  for (const auto& [name, tensor] : ours) {
    EXPECT_TRUE(torch::equal(tensor, theirs.at(name))) << name;
  }
  const auto moments = a.optimizer->state(), others = b.optimizer->state();
  for (const auto& [name, tensor] : moments) {
    EXPECT_TRUE(torch::equal(tensor, others.at(name))) << name;
  }
}

class TrainerTest : public ::testing::Test {
 protected:
  void TearDown() override { clear_stop_request(); }

  // Trains until a stop request at `step`, saves, and returns the state that a new process resumes.
  std::unique_ptr<QuadraticRun> stopped_and_loaded(int64_t step, const TrainerOptions& options) {
    QuadraticRun first(options);
    first.trainer->add(std::make_shared<StopAt>(step));
    EXPECT_EQ(first.trainer->run(), Outcome::stopped);
    EXPECT_EQ(first.state.progress.step, step);
    save_checkpoint(folder_ / "c.pth", first.state);
    clear_stop_request();
    return loaded(options);
  }
  std::unique_ptr<QuadraticRun> loaded(const TrainerOptions& options) {
    auto run = std::make_unique<QuadraticRun>(options);
    CheckpointFile(folder_ / "c.pth").load_into(run->state);
    run->trainer = std::make_unique<Trainer>(run->state, run->task, *run->train, options);
    return run;
  }

  TempDir folder_;
};

TrainerOptions three_epochs() {
  TrainerOptions options;
  options.epochs = 3;
  return options;
}

class StoppedAndResumed : public TrainerTest, public ::testing::WithParamInterface<int64_t> {};

TEST_P(StoppedAndResumed, EqualsTheUninterruptedRunBitForBit) {
  auto options = three_epochs();
  options.validate_steps = 4;
  QuadraticRun unbroken(options);
  const auto expected = collect(unbroken, 3);
  ASSERT_EQ(unbroken.trainer->run(), Outcome::finished);
  EXPECT_EQ(unbroken.state.progress.step, 15);

  const auto resumed = stopped_and_loaded(GetParam(), options);
  const auto actual = collect(*resumed, 3);
  ASSERT_EQ(resumed->trainer->run(), Outcome::finished);
  expect_same_bits(unbroken.state, resumed->state);
  ASSERT_FALSE(actual->epochs.empty());
  const auto& first = actual->epochs.front();
  EXPECT_EQ(first.train_loss, expected->epochs[first.epoch].train_loss);
  EXPECT_EQ(actual->steps.back().window_loss, expected->steps.back().window_loss);
  for (const auto& [step, report] : actual->validations) {
    ASSERT_EQ(expected->validations.count(step), 1u) << step;
    EXPECT_EQ(report.trained.value(QuadraticTask::kLoss),
              expected->validations[step].trained.value(QuadraticTask::kLoss));
  }
  // A validation that was due at the step of the save comes after resuming.
  EXPECT_EQ(actual->validations.count(12), GetParam() <= 12 ? 1u : 0u);
}

// In the first epoch, at the end of one before its validation, inside the last, and where a
// validation inside an epoch is due.
INSTANTIATE_TEST_SUITE_P(Steps, StoppedAndResumed, ::testing::Values(2, 10, 13, 12));

TEST_F(TrainerTest, TrainsToTheEndAndValidatesEachEpoch) {
  QuadraticRun run;
  const auto seen = collect(run);
  run.trainer->run();
  ASSERT_EQ(seen->epochs.size(), 3u);
  EXPECT_LT(seen->epochs.back().train_loss, seen->epochs.front().train_loss);
  EXPECT_TRUE(seen->epochs.back().last);
  EXPECT_FALSE(seen->epochs.front().last);
  EXPECT_EQ(run.task.validations, 3);
}

TEST_F(TrainerTest, TheLowestLossIsTheBestWhereLowerIsBetter) {
  QuadraticRun run;
  const auto seen = collect(run);
  run.trainer->run();
  double best = std::numeric_limits<double>::infinity();
  for (const auto& epoch : seen->epochs) {
    const double loss = epoch.validation->trained.value(QuadraticTask::kLoss);
    EXPECT_EQ(epoch.validation->best, loss <= best);
    best = std::min(best, loss);
  }
  EXPECT_EQ(run.state.progress.best_metric, best);
}

TEST_F(TrainerTest, AStepLimitEndsTheRunInsideAnEpochWithAValidation) {
  auto options = three_epochs();
  options.steps = 7;
  QuadraticRun run(options);
  const auto seen = collect(run);
  EXPECT_EQ(run.trainer->run(), Outcome::finished);
  EXPECT_EQ(run.state.progress.step, 7);
  ASSERT_EQ(seen->epochs.size(), 2u);
  EXPECT_TRUE(seen->epochs[0].complete);
  EXPECT_FALSE(seen->epochs[1].complete);
  EXPECT_TRUE(seen->epochs[1].last);
  EXPECT_TRUE(seen->epochs[1].validation.has_value());
  EXPECT_EQ(seen->steps_with_loss(), (std::vector<int64_t>{5, 7}));
  save_checkpoint(folder_ / "c.pth", run.state);

  // The same limit: nothing is left to do. A higher one: as if it had been given at the start.
  EXPECT_EQ(loaded(options)->trainer->run(), Outcome::finished);
  options.steps = 12;
  QuadraticRun unbroken(options);
  unbroken.trainer->run();
  const auto extended = loaded(options);
  extended->trainer->run();
  EXPECT_EQ(extended->state.progress.step, 12);
  expect_same_bits(unbroken.state, extended->state);
}

TEST_F(TrainerTest, ValidatesEveryFewEpochsAndAlwaysTheLast) {
  TrainerOptions options;
  options.epochs = 5;
  options.validate_epochs = 2;
  QuadraticRun run(options);
  const auto seen = collect(run);
  run.trainer->run();
  std::vector<bool> validated;
  for (const auto& epoch : seen->epochs) validated.push_back(epoch.validation.has_value());
  EXPECT_EQ(validated, (std::vector<bool>{false, true, false, true, true}));
  EXPECT_EQ(run.task.validations, 3);
}

TEST_F(TrainerTest, ValidatesEveryFewStepsOnceEach) {
  auto options = three_epochs();
  options.validate_epochs = 0;
  options.validate_steps = 5;  // also where epochs end
  QuadraticRun at_ends(options);
  at_ends.trainer->run();
  EXPECT_EQ(at_ends.task.validations, 3);
  options.validate_steps = 4;
  QuadraticRun inside(options);
  const auto seen = collect(inside);
  inside.trainer->run();
  EXPECT_EQ(inside.task.validations, 4) << "steps 4, 8, 12 and the end";
  EXPECT_EQ(seen->validations.size(), 3u);
}

TEST_F(TrainerTest, EventsRunEveryFewStepsInEvaluationModeAndChangeNothing) {
  QuadraticRun plain;
  plain.trainer->run();
  QuadraticRun run;
  std::vector<int64_t> steps;
  run.trainer->every(4, [&](const TrainState& state) {
    steps.push_back(state.progress.step);
    EXPECT_FALSE(state.model->is_training());
  });
  run.trainer->run();
  EXPECT_EQ(steps, (std::vector<int64_t>{4, 8, 12}));
  expect_same_bits(plain.state, run.state);
}

TEST_F(TrainerTest, TheLossIsReadWhereAnObserverAsksAndAtTheEndOfEpochs) {
  QuadraticRun run;
  const auto seen = collect(run, 3);
  run.trainer->run();
  EXPECT_EQ(seen->steps_with_loss(), (std::vector<int64_t>{3, 5, 6, 9, 10, 12, 15}));
  // The mean of an epoch is that of its windows, weighted by their length.
  EXPECT_NEAR(seen->steps[1].loss,
              (3 * seen->steps[0].window_loss + 2 * seen->steps[1].window_loss) / 5, 1e-9);
}

// Gradients of float32 overflow when the scale of the loss is that high.
GradScalerOptions scale(double init) {
  GradScalerOptions options;
  options.init_scale = init;
  return options;
}

TEST_F(TrainerTest, StepsThatOverflowAreSkippedAndNotCounted) {
  QuadraticRun run;
  run.state.scaler = std::make_unique<GradScaler>(torch::kCPU, scale(0x1p127));
  {
    const torch::NoGradGuard no_grad;
    run.state.model->named_parameters()["bias"].fill_(1000);  // large gradients
  }
  const auto seen = collect(run);
  run.trainer->run();
  const double skipped = 127 - std::log2(run.state.scaler->current());
  EXPECT_GE(skipped, 1);
  EXPECT_EQ(run.state.optimizer->state()["step.weight"].item<double>(), 15 - skipped);
  EXPECT_TRUE(std::isfinite(seen->epochs.front().train_loss));
}

TEST_F(TrainerTest, PersistentOverflowIsReportedAsDivergence) {
  QuadraticRun run;
  run.state.scaler = std::make_unique<GradScaler>(torch::kCPU, scale(2e-4));
  {
    const torch::NoGradGuard no_grad;
    run.state.model->named_parameters()["bias"][0] = NAN;
  }
  EXPECT_THROW(run.trainer->run(), Error);
}

TEST_F(TrainerTest, AccumulatedBatchesMakeTheStepOfOneLargeBatch) {
  std::vector<TrainState> states;
  for (int64_t parts : {1, 2}) {
    auto options = three_epochs();
    options.accumulation_steps = parts;
    QuadraticRun run(options, 44, 16 / parts);
    run.task.noise = 0;  // otherwise drawn for each micro-batch
    run.trainer->run();
    EXPECT_EQ(run.state.progress.step, 6) << "44 samples: two steps an epoch, 12 dropped";
    states.push_back(std::move(run.state));
  }
  const auto large = state_dict(*states[0].model), parts = state_dict(*states[1].model);
  for (const auto& [name, tensor] : large) {
    EXPECT_TRUE(torch::allclose(tensor, parts.at(name), 1e-5, 1e-7)) << name;
  }
}

TEST_F(TrainerTest, EveryEmaIsValidatedAndTheModelKeepsItsOwnWeights) {
  QuadraticRun run;
  for (double decay : {0.5, 0.9}) {
    run.state.emas.push_back(std::make_unique<Ema>(*run.state.model, decay));
  }
  const auto seen = collect(run);
  run.trainer->run();
  const auto& last = *seen->epochs.back().validation;
  ASSERT_EQ(last.ema.size(), 2u);
  const auto loss = [](const Metrics& metrics) { return metrics.value(QuadraticTask::kLoss); };
  Distributed single;
  const auto now = [&] {
    return loss(*run.task.validate(ValidationContext{single, c10::kCPU, {}, nullptr}));
  };
  EXPECT_EQ(now(), loss(last.trained));
  for (size_t i : {0, 1}) {
    const EmaScope scope(run.state.emas[i].get());
    EXPECT_EQ(now(), loss(last.ema[i]));
    EXPECT_NE(loss(last.ema[i]), loss(last.trained));
  }
  EXPECT_NE(loss(last.ema[0]), loss(last.ema[1]));
}

TEST_F(TrainerTest, ANonFiniteLossStopsWithTheStepAndTheFirstBadParameter) {
  QuadraticRun run;
  {
    const torch::NoGradGuard no_grad;
    run.state.model->named_parameters()["bias"][0] = NAN;
  }
  const auto weight = run.state.model->named_parameters()["weight"].clone();
  try {
    run.trainer->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Error::kDiverged);
    const std::string message = error.what();
    EXPECT_NE(message.find("diverged at step 0 (epoch 1, batch 1): loss nan"), std::string::npos)
        << message;
    EXPECT_NE(message.find("first bad parameter: bias (nan)"), std::string::npos) << message;
  }
  EXPECT_TRUE(torch::equal(weight, run.state.model->named_parameters()["weight"]))
      << "the bad step reached the weights";
}

// As on a GPU, where only some steps wait for their loss.
TEST_F(TrainerTest, AnUncheckedStepThatIsNotFiniteIsSkippedAndReportedAtTheNextCheck) {
  struct BadStep : QuadraticTask {
    at::Tensor loss(const Batch& batch, const StepRng& rng) override {
      const auto loss = QuadraticTask::loss(batch, rng);
      return ++steps == 2 ? loss * NAN : loss;
    }
    int steps = 0;
  } task;
  TrainerOptions options;
  options.epochs = 3;
  options.check_every_step = false;
  QuadraticRun run;
  run.state.model = task.model();
  run.state.optimizer = make_optimizer({}, param_groups(*run.state.model, 0.05));
  Trainer trainer(run.state, task, *run.train, options);
  const auto seen = std::make_shared<Collect>(4);
  trainer.add(seen);
  try {
    trainer.run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Error::kDiverged);
    EXPECT_NE(std::string(error.what()).find("diverged at step 3"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("(1 steps before were skipped)"), std::string::npos)
        << error.what();
  }
  for (const auto& item : run.state.model->named_parameters()) {
    EXPECT_TRUE(item.value().isfinite().all().item<bool>()) << item.key();
  }
  EXPECT_EQ(run.state.optimizer->state()["step.weight"].item<double>(), 2) << "steps 0 and 2";
}

TEST_F(TrainerTest, RefusesACheckpointInsideAnEpochOfAnotherLength) {
  QuadraticRun run;
  run.state.progress.batch = 2;
  run.state.progress.batches = 7;
  EXPECT_THROW(Trainer(run.state, run.task, *run.train, {}), Error);
}

TEST_F(TrainerTest, RefusesADatasetSmallerThanABatch) {
  EXPECT_THROW(QuadraticRun({}, /*samples=*/5), Error);
}

}  // namespace
}  // namespace wf::testing
