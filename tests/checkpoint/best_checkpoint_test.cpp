#include "checkpoint/best_checkpoint.h"

#include "checkpoint/checkpoint.h"
#include "support/quadratic_task.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

namespace wf::testing {
namespace {

const MetricSpec kAccuracy{"acc", "top-1", "{:.2f} %"};

class RestoreBest : public ::testing::Test {
 protected:
  RestoreBest() {
    state_.model = task_.model();
    state_.optimizer = make_optimizer({}, param_groups(*state_.model, 0.05));
  }

  // A checkpoint of a run whose best value so far is `metric`; `best`: it is the value of this
  // checkpoint.
  void save(const std::string& name, int64_t serial, double metric, bool best) {
    state_.progress.best_metric = metric;
    state_.progress.best_weights = serial;
    save_checkpoint(directory_ / name, state_, {serial, /*world=*/1, best});
  }
  // Restores for a run that was resumed with the best value `metric`; returns the log.
  std::string restore(double metric, const MetricSpec& spec = kAccuracy) {
    progress_.best_metric = metric;
    progress_.best_weights = 1;
    ::testing::internal::CaptureStderr();
    restore_best(directory_.path(), list_checkpoints(directory_.path()), spec, progress_);
    return ::testing::internal::GetCapturedStderr();
  }
  int64_t best_serial() const { return CheckpointFile(directory_ / "max_acc.pth").serial(); }

  TempDir directory_;
  QuadraticTask task_;
  TrainState state_;
  Progress progress_;
};

TEST_F(RestoreBest, LogsNothingIfFileAndProgressAgree) {
  save("ckpt_epoch_1.pth", 1, 60, /*best=*/true);
  save("max_acc.pth", 1, 60, /*best=*/true);
  save("ckpt_epoch_2.pth", 2, 60, /*best=*/false);
  EXPECT_EQ(restore(60), "");
  EXPECT_EQ(progress_.best_metric, 60);
  EXPECT_EQ(best_serial(), 1);
}

TEST_F(RestoreBest, LogsNothingBeforeTheFirstValidation) {
  save("ckpt_epoch_1.pth", 1, Progress::kNone, /*best=*/false);
  EXPECT_EQ(restore(Progress::kNone), "");
  EXPECT_FALSE(progress_.has_best());
}

TEST_F(RestoreBest, TakesTheCheckpointThatShouldBeTheBestOne) {
  for (const bool there : {false, true}) {
    if (there) save("max_acc.pth", 1, 58.33, /*best=*/true);
    save("ckpt_epoch_2.pth", 2, 65.83, /*best=*/true);
    save("ckpt_epoch_3.pth", 3, 65.83, /*best=*/false);
    const auto log = restore(65.83);
    EXPECT_NE(log.find("max_acc.pth: top-1 65.83 %, copied from " + (directory_ / "ckpt_epoch_2")),
              std::string::npos)
        << log;
    EXPECT_EQ(best_serial(), 2);
    EXPECT_EQ(progress_.best_metric, 65.83);
    std::filesystem::remove(directory_ / "max_acc.pth");
  }
}

TEST_F(RestoreBest, OfEqualOnesTakesTheLaterAsTrainingDoes) {
  save("max_acc.pth", 1, 60, /*best=*/true);
  save("ckpt_epoch_2.pth", 2, 60, /*best=*/true);
  restore(60);
  EXPECT_EQ(best_serial(), 2);
}

TEST_F(RestoreBest, KnowsMetricsThatAreBetterWhenLower) {
  save("max_acc.pth", 1, 0.5, /*best=*/true);
  save("ckpt_epoch_2.pth", 2, 0.25, /*best=*/true);
  save("ckpt_epoch_3.pth", 3, 0.75, /*best=*/true);
  const auto log = restore(0.25, QuadraticTask::kLoss);
  EXPECT_EQ(best_serial(), 2) << log;
}

TEST_F(RestoreBest, KeepsABetterOneWhenTheRunGoesBack) {
  save("ckpt_epoch_1.pth", 1, 55.83, /*best=*/true);
  save("max_acc.pth", 7, 70, /*best=*/true);
  const auto log = restore(55.83);
  EXPECT_NE(log.find("max_acc.pth: remains the best until a validation is as good, top-1 70.00 % "
                     "(resumed: top-1 55.83 %)"),
            std::string::npos)
      << log;
  EXPECT_EQ(progress_.best_metric, 70);
  EXPECT_EQ(progress_.best_weights, 7);
  EXPECT_EQ(best_serial(), 7);
}

TEST_F(RestoreBest, PassesOverADamagedCheckpoint) {
  save("ckpt_epoch_1.pth", 1, 60, /*best=*/true);
  save("ckpt_epoch_2.pth", 2, 70, /*best=*/true);
  auto bytes = read_file(directory_ / "ckpt_epoch_2.pth");
  bytes.at(bytes.find(std::string("\0\0\0@\0\0\0@", 8))) ^= 1;  // the weights, which are 2
  write_file(directory_ / "ckpt_epoch_2.pth", bytes);
  const auto log = restore(70);
  EXPECT_NE(log.find("not used as the best checkpoint: "), std::string::npos) << log;
  EXPECT_NE(log.find("the weights that had the best top-1 70.00 % are lost"), std::string::npos)
      << log;
  EXPECT_EQ(best_serial(), 1);
  EXPECT_EQ(progress_.best_metric, 60);
}

TEST_F(RestoreBest, DropsABestWithoutWeights) {
  save("ckpt_epoch_3.pth", 3, 60, /*best=*/false);
  for (const bool damaged : {false, true}) {
    if (damaged) write_file(directory_ / "max_acc.pth", "not a checkpoint");
    const auto log = restore(60);
    EXPECT_NE(log.find("max_acc.pth: missing, and it had the best top-1 60.00 %"),
              std::string::npos)
        << log;
    EXPECT_FALSE(progress_.has_best());
  }
}

}  // namespace
}  // namespace wf::testing
