// The run directory is moved or deleted while a run saves into it.

#include "checkpoint/checkpoint_observer.h"
#include "engine/metrics_observer.h"
#include "runtime/folder_lock.h"
#include "support/errors.h"
#include "support/quadratic_task.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class MovedDirectory : public ::testing::Test {
 protected:
  MovedDirectory() {
    fs::create_directory(directory_);
    state_.model = task_.model();
    state_.optimizer = make_optimizer({}, param_groups(*state_.model, 0.05));
    lock_ = std::make_shared<FolderLock>(directory_);
  }

  // The log of a save of the state.
  std::string save() {
    CheckpointObserver observer(directory_, {}, {}, lock_);
    ::testing::internal::CaptureStderr();
    const auto problem = error_of([&] { observer.on_stop(state_); });
    return ::testing::internal::GetCapturedStderr() + problem;
  }

  TempDir folder_;
  std::string directory_ = folder_ / "run", checkpoint_ = directory_ + "/ckpt_step_0.pth";
  QuadraticTask task_;
  TrainState state_;
  std::shared_ptr<FolderLock> lock_;
};

TEST_F(MovedDirectory, IsCreatedAgainLockedAndSavedInto) {
  EXPECT_EQ(save().find("created it again"), std::string::npos);
  fs::rename(directory_, folder_ / "elsewhere");
  const auto log = save();
  EXPECT_NE(log.find(directory_ + ": this run directory was moved or deleted"), std::string::npos)
      << log;
  EXPECT_TRUE(fs::exists(checkpoint_));
  EXPECT_TRUE(fs::exists(folder_ / "elsewhere/ckpt_step_0.pth"));
  EXPECT_TRUE(has(error_of([&] { FolderLock second(directory_); }), "another run is writing here"));
  EXPECT_EQ(save().find("created it again"), std::string::npos) << "logged once";
  fs::remove_all(directory_);
  EXPECT_NE(save().find("created it again"), std::string::npos);
  EXPECT_TRUE(fs::exists(checkpoint_));
}

TEST_F(MovedDirectory, IsNotWrittenToWhenAnotherRunHasTakenItsPlace) {
  fs::rename(directory_, folder_ / "elsewhere");
  fs::create_directory(directory_);
  const FolderLock another(directory_);
  EXPECT_TRUE(has(save(), "another run is writing here"));
  EXPECT_FALSE(fs::exists(checkpoint_));
}

TEST_F(MovedDirectory, GetsANewListOfMetrics) {
  MetricsObserver metrics(directory_ + "/metrics.jsonl");
  StepReport report;
  report.has_loss = true;
  metrics.on_start(state_);
  metrics.on_step(state_, report);
  const auto line = read_file(directory_ + "/metrics.jsonl");
  fs::rename(directory_, folder_ / "elsewhere");
  metrics.on_step(state_, report);
  metrics.on_step(state_, report);
  EXPECT_EQ(read_file(directory_ + "/metrics.jsonl"), line + line);
  EXPECT_EQ(read_file(folder_ / "elsewhere/metrics.jsonl"), line);
}

}  // namespace
}  // namespace wf::testing
