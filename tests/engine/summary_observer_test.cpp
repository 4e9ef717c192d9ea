#include "engine/summary_observer.h"

#include "support/quadratic_task.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace wf::testing {
namespace {

const MetricSpec kTop1{"acc1", "top-1", "{:.2f}"};
const MetricSpec kImages{"images", "images", "{:.0f}", Better::higher, /*count=*/true};

EpochReport epoch(int64_t number, bool validated = true) {
  EpochReport report;
  report.epoch = number;
  report.train_loss = 2.5;
  report.lr = 0.001;
  if (!validated) return report;
  auto& validation = report.validation.emplace();
  for (auto* metrics : {&validation.trained, &validation.ema.emplace_back()}) {
    metrics->add(QuadraticTask::kLoss, 0.5);
    metrics->add(kTop1, 75);
    metrics->add(kImages, 8);
  }
  return report;
}

class SummaryObserverTest : public ::testing::Test {
 protected:
  // The epochs from the position of `state_`.
  void train(std::vector<EpochReport> epochs) {
    SummaryObserver summary(path_);
    summary.on_start(state_);
    for (const auto& report : epochs) summary.on_epoch_end(state_, report);
  }

  TempDir folder_;
  std::string path_ = folder_ / "summary.csv";
  TrainState state_;
};

TEST_F(SummaryObserverTest, HasTheColumnsOfTimmAndAResumedRunRepeatsNoRow) {
  train({epoch(0, /*validated=*/false), epoch(1), epoch(2)});
  const std::string header =
      "epoch,train_loss,eval_loss,eval_top1,lr,eval_ema_loss,eval_ema_top1\n";
  const std::string values = ",2.5,0.5,75,0.001,0.5,75\n";
  const auto three = header + "0,2.5,,,0.001,,\n1" + values + "2" + values;
  EXPECT_EQ(read_file(path_), three);
  state_.progress.epoch = 2;
  train({epoch(2), epoch(3)});
  EXPECT_EQ(read_file(path_), three + "3" + values);
  state_.progress.epoch = 3;
  train({epoch(3, /*validated=*/false), epoch(3)});
  EXPECT_EQ(read_file(path_), three + "3" + values) << "a step limit had ended epoch 3";
}

TEST_F(SummaryObserverTest, AFileThatCannotBeWrittenIsWrittenAfterTheNextEpoch) {
  path_ = folder_ / "late/summary.csv";
  SummaryObserver summary(path_);
  summary.on_start(state_);
  summary.on_epoch_end(state_, epoch(0));
  std::filesystem::create_directory(folder_ / "late");
  summary.on_epoch_end(state_, epoch(1));
  EXPECT_NE(read_file(path_).find("\n0,2.5"), std::string::npos);
  EXPECT_NE(read_file(path_).find("\n1,2.5"), std::string::npos);
}

}  // namespace
}  // namespace wf::testing
