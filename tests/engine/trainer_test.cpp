#include "weightformer/engine/trainer.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/drop_path.h"

#include "checkpoint/checkpoint.h"
#include "data/transforms.h"
#include "engine/classification/evaluation_report.h"
#include "runtime/stop_signal.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
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
    state.model = make_classifier(
        classifier_options("wfm_nano").num_classes(2).drop_path_rate(0.3).patch_size(4));
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
  save_checkpoint(folder / "c.pth", first.state);
  clear_stop_request();

  ToyRun second;
  load_checkpoint(folder / "c.pth", second.state);
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
    if (amp) options.amp = torch::kBFloat16;
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

TEST(Trainer, Float16FollowsFloat32AndLeavesOutStepsThatOverflow) {
  ToyRun plain;
  const auto expected = std::make_shared<Collect>();
  plain.trainer->add(expected);
  plain.trainer->run();

  TrainerOptions options;
  options.amp = torch::kHalf;
  ToyRun run(options);
  // Too high for float16, so that the first steps overflow.
  GradScalerOptions scaler;
  scaler.init_scale = 0x1p26;
  run.state.scaler = std::make_unique<GradScaler>(torch::kCPU, scaler);
  const auto start = run.state.model->named_parameters()["head.weight"].clone();
  const auto collected = std::make_shared<Collect>();
  run.trainer->add(collected);
  run.trainer->run();
  const double lower = run.state.scaler->current();
  EXPECT_LT(lower, scaler.init_scale);
  EXPECT_GE(lower, 1);
  EXPECT_FALSE(torch::equal(start, run.state.model->named_parameters()["head.weight"]));
  const double left_out = std::log2(scaler.init_scale / lower);
  EXPECT_EQ(run.state.optimizer->state()["step.head.weight"].item<double>(), 15 - left_out);
  EXPECT_NEAR(collected->reports.back().train_loss, expected->reports.back().train_loss, 0.05);
}

// For one step a weight that float16 cannot hold.
class OverflowOnce : public Observer {
 public:
  void on_step(const TrainState& state, const StepReport&) override {
    const torch::NoGradGuard no_grad;
    auto bias = state.model->named_parameters()["head.bias"];
    if (state.progress.step == 1) {
      before_ = bias.clone();
      bias.fill_(1e6);
    } else if (state.progress.step == 2) {
      bias.copy_(before_);
    }
  }

 private:
  torch::Tensor before_;
};

TEST(Trainer, ALossThatOverflowedIsNotInTheMeanOfTheEpoch) {
  TrainerOptions options;
  options.amp = torch::kHalf;
  ToyRun run(options);
  run.state.scaler = std::make_unique<GradScaler>(torch::kCPU, GradScalerOptions{});
  const auto collected = std::make_shared<Collect>();
  run.trainer->add(std::make_shared<OverflowOnce>());
  run.trainer->add(collected);
  run.trainer->run();
  EXPECT_LT(run.state.scaler->current(), GradScalerOptions{}.init_scale) << "nothing overflowed";
  EXPECT_TRUE(std::isfinite(collected->reports.front().train_loss));
}

TEST(Trainer, AnOverflowThatNeverEndsIsADivergence) {
  TrainerOptions options;
  options.amp = torch::kHalf;
  ToyRun run(options);
  GradScalerOptions scaler;
  scaler.init_scale = 2e-4;
  run.state.scaler = std::make_unique<GradScaler>(torch::kCPU, scaler);
  {
    const torch::NoGradGuard no_grad;
    run.state.model->named_parameters()["blocks.2.norm2.weight"][0] = NAN;
  }
  EXPECT_THROW(run.trainer->run(), Error);
}

TEST(Trainer, AccumulatedBatchesMakeTheStepOfOneLargeBatch) {
  // No flips and shifts differ: the same pictures in the same order, in batches of 8 and of 16.
  std::vector<TrainState> states;
  for (int64_t parts : {1, 2}) {
    ToyRun run;
    for (auto& block : run.state.model->modules()) {
      if (auto* drop = block->as<DropPath>()) drop->options.rate(0);
    }
    LoaderOptions loader;
    loader.batch_size = 16 / parts;
    loader.train = loader.drop_last = true;
    TransformOptions transform;
    transform.size = kSide;
    const auto data = std::make_shared<ToyDataset>(44, kSide);
    Loader train(data, make_train_transform(transform), Sampler(44, true, 0), loader);
    TrainerOptions options;
    options.epochs = 3;
    options.accumulation_steps = parts;
    Trainer trainer(run.state, train, *run.validation, options);
    trainer.run();
    EXPECT_EQ(run.state.progress.step, 6);  // 44 pictures: two steps an epoch, 12 left out
    states.push_back(std::move(run.state));
  }
  const auto large = state_dict(*states[0].model), parts = state_dict(*states[1].model);
  for (const auto& [name, tensor] : large) {
    EXPECT_TRUE(torch::allclose(tensor, parts.at(name), 1e-4, 1e-6)) << name;
  }
  EXPECT_NEAR(states[0].progress.max_accuracy, states[1].progress.max_accuracy, 1e-9);
}

TEST(Trainer, AveragedWeightsAreEvaluatedTooAndTheModelKeepsItsOwn) {
  ToyRun run;
  run.state.ema = std::make_unique<Ema>(*run.state.model, 0.9);
  const auto collected = std::make_shared<Collect>();
  run.trainer->add(collected);
  run.trainer->run();
  const auto& last = collected->reports.back();
  ASSERT_TRUE(last.averaged.has_value());
  EXPECT_NE(last.averaged->loss, last.validation.loss);
  EXPECT_DOUBLE_EQ(evaluate(*run.state.model, *run.validation, {}).loss, last.validation.loss);
  const AveragedWeights averaged(run.state.ema.get());
  EXPECT_DOUBLE_EQ(evaluate(*run.state.model, *run.validation, {}).loss, last.averaged->loss);
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

TEST(Trainer, AStepThatIsToBeSavedIsMeasuredWhateverIsPrinted) {
  struct Measured : Observer {
    void on_step(const TrainState& state, const StepReport& report) override {
      if (report.measured) steps.push_back(state.progress.step);
    }
    std::vector<int64_t> steps;
  };
  TrainerOptions options;
  options.print_freq = 1000;
  options.save_steps = 3;
  ToyRun run(options);
  ASSERT_EQ(run.train->batches(), 5);
  const auto measured = std::make_shared<Measured>();
  run.trainer->add(measured);
  run.trainer->run();
  EXPECT_EQ(measured->steps, (std::vector<int64_t>{3, 5, 6, 9, 10, 12, 15}));
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
  EXPECT_EQ(result.real_images, 0) << "no such labels were given";

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

TEST(Evaluate, TheConfusionTableAndTheReassessedLabelsCountWhatTheModelSays) {
  ToyRun run;
  const auto data = std::make_shared<ToyDataset>(21, kSide, std::set<int64_t>{3});
  const auto loader = toy_loader(false, data);
  EvaluateOptions options;
  options.confusion = true;
  // Both classes are right for the first picture, none is for the second.
  std::vector<std::vector<int64_t>> real(21);
  for (int64_t i = 0; i < 21; ++i) real[i] = {i % 2};
  real[0] = {0, 1};
  real[1] = {};
  options.real_labels = &real;
  const auto result = evaluate(*run.state.model, *loader, options);
  EXPECT_EQ(result.confusion.sum().item<int64_t>(), 20);
  EXPECT_EQ(result.confusion.sum(1)[0].item<int64_t>(), 11);
  const auto right = result.confusion.diagonal().sum().item<int64_t>();
  EXPECT_DOUBLE_EQ(result.acc1, 100.0 * right / 21);
  EXPECT_EQ(result.real_images, 20);
  const auto single = [&](int64_t i) {
    run.state.model->eval();
    const torch::NoGradGuard no_grad;
    TransformOptions transform;
    transform.size = kSide;
    auto x = torch::empty({1, 3, kSide, kSide});
    CounterRng unused{0};
    (*make_eval_transform(transform))(data->load(i), unused, x.data_ptr<float>());
    return run.state.model->forward(x).argmax(1).item<int64_t>() == i % 2;
  };
  const int64_t expected = right + (single(0) ? 0 : 1) - (single(1) ? 1 : 0);
  EXPECT_DOUBLE_EQ(result.real_acc1, 100.0 * expected / 20);

  const TempDir folder;
  write_evaluation(folder / "", result, {"up,right", "level"});
  const std::string classes = read_file(folder / "classes.csv");
  EXPECT_NE(classes.find("\"up,right\",11,"), std::string::npos) << classes;
  EXPECT_NE(read_file(folder / "confusion.csv").find("level,"), std::string::npos);
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

TEST(MetricsObserver, ALineThatCouldNotBeWrittenComesWithTheNext) {
  const TempDir folder;
  const TrainState state;
  MetricsObserver metrics(folder / "late/metrics.jsonl");
  EpochReport report;
  metrics.on_epoch(state, report);
  std::filesystem::create_directory(folder / "late");
  report.epoch = 1;
  metrics.on_epoch(state, report);
  const auto text = read_file(folder / "late/metrics.jsonl");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_EQ(text.rfind("{\"epoch\":0,", 0), 0u) << text;
}

}  // namespace
}  // namespace wf::testing
