#include "engine/metrics_observer.h"

#include "support/errors.h"
#include "support/quadratic_task.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

class MetricsObserverTest : public ::testing::Test {
 protected:
  std::vector<nlohmann::json> lines() const {
    std::istringstream in(read_file(path_));
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }

  TempDir folder_;
  std::string path_ = folder_ / "metrics.jsonl";
  TrainState state_;
};

ValidationReport validation(double loss, std::vector<double> emas = {}) {
  ValidationReport report;
  report.trained.add(QuadraticTask::kLoss, loss);
  for (double ema : emas) report.ema.emplace_back().add(QuadraticTask::kLoss, ema);
  return report;
}

TEST_F(MetricsObserverTest, WritesStepsValidationsAndEpochs) {
  MetricsObserver metrics(path_);
  metrics.on_start(state_);
  StepReport step;
  metrics.on_step(state_, step);  // its loss was not read
  step.step = 1;
  step.has_loss = true;
  step.window_loss = 2.5;
  metrics.on_step(state_, step);
  metrics.on_validation(state_, validation(0.5));
  EpochReport epoch;
  epoch.train_loss = 1.5;
  epoch.validation = validation(0.25, {0.125, 0.0625});
  metrics.on_epoch_end(state_, epoch);
  epoch.validation.reset();
  metrics.on_epoch_end(state_, epoch);

  const auto all = lines();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0]["loss"], 2.5);
  EXPECT_EQ(all[0]["step"], 1);
  EXPECT_EQ(all[1]["val_loss"], 0.5);
  EXPECT_FALSE(all[1].contains("train_loss"));
  EXPECT_EQ(all[2]["val_loss"], 0.25);
  EXPECT_EQ(all[2]["val_ema_loss"], 0.125);
  EXPECT_EQ(all[2]["val_ema2_loss"], 0.0625);
  for (const char* key : {"epoch", "train_loss", "lr", "images_per_s", "data_wait"}) {
    EXPECT_TRUE(all[2].contains(key)) << key;
  }
  EXPECT_FALSE(all[3].contains("val_loss")) << "an epoch without a validation";
}

TEST_F(MetricsObserverTest, DropsTheLinesThatAResumedRunWritesAgain) {
  MetricsObserver metrics(path_);
  metrics.on_start(state_);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t step = 5 * epoch + 1; step <= 5 * epoch + 5; ++step) {
      StepReport report;
      report.step = state_.progress.step = step;
      report.has_loss = true;
      metrics.on_step(state_, report);
      if (step % 4 == 0) metrics.on_validation(state_, validation(1));
    }
    EpochReport report;
    report.epoch = epoch;
    metrics.on_epoch_end(state_, report);
  }
  write_file(path_, read_file(path_) + "{\"epoch\": 3, \"train_");  // a crash while writing
  // Resumed from a checkpoint at step 8 that was saved before the validation there.
  state_.progress.epoch = 1;
  state_.progress.step = 8;
  state_.progress.validated_step = 4;
  MetricsObserver(path_).on_start(state_);
  std::vector<int64_t> epochs, steps, validations;
  for (const auto& line : lines()) {
    if (line.contains("train_loss")) {
      epochs.push_back(line["epoch"]);
    } else {
      (line.contains("loss") ? steps : validations).push_back(line["step"]);
    }
  }
  EXPECT_EQ(epochs, std::vector<int64_t>{0});
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(validations, std::vector<int64_t>{4});
}

TEST_F(MetricsObserverTest, TakesLinesOfOtherProgramsAndOnlyARegularFile) {
  write_file(path_,
             "{\"epoch\": \"x\", \"step\": null}\n[1]\n\xff\n{\"epoch\": [0], \"loss\": 1}\n");
  EXPECT_NO_THROW(MetricsObserver(path_).on_start(state_));
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { MetricsObserver(path_).on_start(state_); }),
            path_ + ": not a regular file; remove it");
}

TEST_F(MetricsObserverTest, AFailedLineIsWrittenWithTheNextOne) {
  MetricsObserver metrics(folder_ / "late/metrics.jsonl");
  EpochReport report;
  metrics.on_epoch_end(state_, report);
  std::filesystem::create_directory(folder_ / "late");
  report.epoch = 1;
  metrics.on_epoch_end(state_, report);
  const auto text = read_file(folder_ / "late/metrics.jsonl");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_EQ(text.rfind("{\"epoch\":0,", 0), 0u) << text;
}

}  // namespace
}  // namespace wf::testing
