#include "weightformer/engine/trainer.h"

#include "weightformer/checkpoint/checkpoint.h"
#include "weightformer/core/check.h"
#include "weightformer/data/transforms.h"
#include "weightformer/engine/stop_signal.h"

#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <sstream>

namespace wf::testing {
namespace {

constexpr int kSide = 16;

std::unique_ptr<Loader> toy_loader(bool train, std::shared_ptr<const Dataset> data = nullptr) {
  if (!data) data = std::make_shared<ToyDataset>(44, kSide);
  TransformOptions transform;
  transform.size = kSide;
  LoaderOptions options;
  options.batch_size = 8;
  options.workers = 2;
  options.train = options.drop_last = train;
  Sampler sampler(data->size(), train, options.seed);
  return std::make_unique<Loader>(
      data, train ? make_train_transform(transform) : make_eval_transform(transform), sampler,
      options);
}

// A run with everything random switched on, from the same start each time.
struct ToyRun {
  TrainState state;
  std::unique_ptr<Loader> train = toy_loader(true), validation = toy_loader(false);
  std::unique_ptr<Trainer> trainer;

  explicit ToyRun(TrainerOptions options = {}) {
    torch::manual_seed(3);
    ClassifierOverrides overrides;
    overrides.num_classes = 2;
    overrides.drop_path_rate = 0.3;
    overrides.patch_size = 4;
    state.model = create_classifier("wfm_nano", overrides);
    state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
    state.schedule.base_lr = 1e-3;
    state.schedule.total_steps = 15;
    state.schedule.warmup_steps = 5;
    options.epochs = 3;
    trainer = std::make_unique<Trainer>(state, *train, *validation, options);
  }
};

class StopAt : public Observer {
 public:
  explicit StopAt(int64_t step) : step_(step) {}
  void on_step(const TrainState& state, const StepReport&) override {
    if (state.progress.step == step_) request_stop();
  }

 private:
  int64_t step_;
};

class Collect : public Observer {
 public:
  void on_epoch(const TrainState&, const EpochReport& report) override {
    reports.push_back(report);
  }
  std::vector<EpochReport> reports;
};

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

class StoppedAndResumed : public ::testing::TestWithParam<int64_t> {
 protected:
  void TearDown() override { clear_stop_request(); }
};

TEST_P(StoppedAndResumed, EqualsTheUnbrokenRunBitForBit) {
  ToyRun unbroken;
  const auto expected = std::make_shared<Collect>();
  unbroken.trainer->add(expected);
  ASSERT_EQ(unbroken.trainer->run(), Outcome::finished);
  EXPECT_EQ(unbroken.state.progress.step, 15);

  const TempDir folder;
  ToyRun first;
  first.trainer->add(std::make_shared<StopAt>(GetParam()));
  ASSERT_EQ(first.trainer->run(), Outcome::stopped);
  EXPECT_EQ(first.state.progress.step, GetParam());
  save_checkpoint(folder / "c.safetensors", first.state);
  clear_stop_request();

  ToyRun second;
  load_checkpoint(folder / "c.safetensors", second.state);
  const auto collected = std::make_shared<Collect>();
  second.trainer->add(collected);
  ASSERT_EQ(second.trainer->run(), Outcome::finished);
  expect_same_bits(unbroken.state, second.state);
  ASSERT_FALSE(collected->reports.empty());
  EXPECT_EQ(collected->reports.front().train_loss,
            expected->reports[collected->reports.front().epoch].train_loss);
  EXPECT_EQ(collected->reports.back().validation.loss, expected->reports.back().validation.loss);
}

// In the first epoch, at the end of one before its validation, in the middle of the last.
INSTANTIATE_TEST_SUITE_P(Steps, StoppedAndResumed, ::testing::Values(2, 10, 13));

TEST(Trainer, LearnsTheToyTask) {
  ToyRun run;
  const auto collected = std::make_shared<Collect>();
  run.trainer->add(collected);
  run.trainer->run();
  ASSERT_EQ(collected->reports.size(), 3u);
  EXPECT_LT(collected->reports.back().train_loss, collected->reports.front().train_loss);
  EXPECT_TRUE(collected->reports.back().last);
  EXPECT_FALSE(collected->reports.front().last);
}

TEST(Trainer, MixedPrecisionFollowsFloat32AndKeepsTheWeightsInIt) {
  std::vector<double> losses;
  for (bool amp : {false, true}) {
    TrainerOptions options;
    options.amp = amp;
    ToyRun run(options);
    const auto collected = std::make_shared<Collect>();
    run.trainer->add(collected);
    run.trainer->run();
    losses.push_back(collected->reports.back().train_loss);
    EXPECT_EQ(run.state.model->parameters()[0].scalar_type(), torch::kFloat);
  }
  EXPECT_NEAR(losses[0], losses[1], 0.02);
  EXPECT_NE(losses[0], losses[1]) << "autocast did nothing";
}

TEST(Trainer, ALossThatIsNotFiniteStopsWithTheStepAndTheFirstBadParameter) {
  ToyRun run;
  {
    const torch::NoGradGuard no_grad;
    run.state.model->named_parameters()["blocks.2.norm2.weight"][0] = NAN;
  }
  const auto weights = run.state.model->named_parameters()["head.weight"].clone();
  try {
    run.trainer->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Error::kDiverged);
    const std::string message = error.what();
    EXPECT_NE(message.find("diverged at step 0 (epoch 1, batch 1): loss nan"), std::string::npos)
        << message;
    EXPECT_NE(message.find("first bad parameter: blocks.2.norm2.weight (nan)"), std::string::npos)
        << message;
  }
  EXPECT_TRUE(torch::equal(weights, run.state.model->named_parameters()["head.weight"]))
      << "the bad step reached the weights";
}

TEST(Trainer, RefusesACheckpointInsideAnEpochOfAnotherLength) {
  const auto train = toy_loader(true), validation = toy_loader(false);
  ToyRun run;
  run.state.progress.batch = 2;
  run.state.progress.batches = 7;
  EXPECT_THROW(Trainer(run.state, *train, *validation, {}), Error);
}

TEST(Trainer, RefusesASetSmallerThanABatch) {
  ToyRun run;
  const auto train = toy_loader(true, std::make_shared<ToyDataset>(5, kSide));
  EXPECT_THROW(Trainer(run.state, *train, *run.validation, {}), Error);
}

TEST(Evaluate, CountsEveryPictureOnceAndUnreadableOnesAsWrong) {
  ToyRun run;
  // 21 pictures at batch 8: an uneven tail; two damaged ones.
  const auto data = std::make_shared<ToyDataset>(21, kSide, std::set<int64_t>{3, 20});
  const auto loader = toy_loader(false, data);
  const auto result = evaluate(*run.state.model, *loader, {});
  EXPECT_EQ(result.images, 21);
  EXPECT_EQ(result.unreadable, 2);

  run.state.model->eval();
  const torch::NoGradGuard no_grad;
  TransformOptions options;
  options.size = kSide;
  const auto transform = make_eval_transform(options);
  double loss = 0, right = 0;
  for (int64_t i = 0; i < 21; ++i) {
    if (i == 3 || i == 20) continue;
    auto x = torch::empty({1, 3, kSide, kSide});
    CounterRng unused{0};
    (*transform)(data->load(i), unused, x.data_ptr<float>());
    const auto logits = run.state.model->forward(x);
    loss -= logits.log_softmax(1)[0][data->label(i)].item<double>() / 19;
    right += logits.argmax(1).item<int64_t>() == data->label(i);
  }
  EXPECT_NEAR(result.loss, loss, 1e-6);
  EXPECT_DOUBLE_EQ(result.acc1, 100 * right / 21);
  EXPECT_DOUBLE_EQ(result.acc5, 100.0 * 19 / 21)
      << "two classes: every readable one is a top-5 hit";
}

TEST(MetricsObserver, WritesALineAnEpochAndDropsThoseThatComeAgain) {
  const TempDir folder;
  const std::string path = folder / "metrics.jsonl";
  TrainState state;
  MetricsObserver metrics(path);
  metrics.on_start(state);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    EpochReport report;
    report.epoch = epoch;
    report.train_loss = 1.5;
    metrics.on_epoch(state, report);
  }
  write_file(path, read_file(path) + "{\"epoch\": 3, \"train_");  // a crash while writing
  state.progress.epoch = 2;
  metrics.on_start(state);
  std::istringstream lines(read_file(path));
  std::string line;
  std::vector<int64_t> epochs;
  while (std::getline(lines, line)) {
    const auto entry = nlohmann::json::parse(line);
    epochs.push_back(entry["epoch"]);
    for (const char* key :
         {"train_loss", "val_loss", "val_acc1", "val_acc5", "lr", "images_per_s", "data_wait"}) {
      EXPECT_TRUE(entry.contains(key)) << key;
    }
  }
  EXPECT_EQ(epochs, (std::vector<int64_t>{0, 1}));
}

}  // namespace
}  // namespace wf::testing
