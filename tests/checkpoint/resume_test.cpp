#include "checkpoint/resume.h"

#include "weightformer/core/check.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_observer.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "support/errors.h"
#include "support/file_use.h"
#include "support/golden.h"
#include "support/quadratic_task.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <functional>

namespace wf::testing {
namespace {

constexpr int64_t kStepsPerEpoch = 4;

Config nano_config() {
  Config config;
  config.model.name = "wfm_nano";
  config.model.num_classes = 10;
  config.data.batch_size = 64;
  config.train.epochs = 20;
  return config;
}

TrainState nano_state(const Config& config) {
  TrainState state;
  state.model = build_classifier(config, torch::kCPU);
  state.optimizer = make_optimizer({}, param_groups(*state.model, config.train.weight_decay));
  state.schedule = build_schedule(config, kStepsPerEpoch, /*world=*/1);
  state.config = config;
  return state;
}

std::vector<SavedCheckpoint> resume(const Config& config, const std::string& directory,
                                    TrainState& state) {
  return wf::resume(config, directory, QuadraticTask(), kStepsPerEpoch, state);
}

// The log of `work`.
std::string logged(const std::function<void()>& work) {
  ::testing::internal::CaptureStderr();
  work();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Resume, OpensTheNewestCheckpointOnceAndReadsItsBytesOnce) {
  const TempDir run;
  const auto config = nano_config();
  auto state = nano_state(config);
  for (int64_t serial = 1; serial <= 3; ++serial) {
    save_checkpoint(run / str("ckpt_epoch_", serial, ".pth"), state, {serial});
  }
  save_checkpoint(run / "max_acc.pth", state, {/*serial=*/2});
  const auto size = std::filesystem::file_size(run / "ckpt_epoch_3.pth");
  {
    OpenCounter counter(run.path());
    const auto before = bytes_read();
    auto saved = resume(config, run.path(), state);
    CheckpointObserver observer(run.path(), {}, std::move(saved));
    observer.on_start(state);
    const auto read = bytes_read() - before;
    EXPECT_EQ(counter.opens(), (std::map<std::string, int>{{"ckpt_epoch_1.pth", 1},
                                                           {"ckpt_epoch_2.pth", 1},
                                                           {"ckpt_epoch_3.pth", 1},
                                                           {"max_acc.pth", 1}}));
    EXPECT_GT(read, size / 2) << "the checksums were not computed";
    EXPECT_LT(read, size * 3 / 2) << "the checksums were computed more than once";
  }
  EXPECT_EQ(resume(config, run.path(), state).back().serial, 3);
}

TEST(Resume, AnOriginalCheckpointContinuesAfterItsFinishedEpochs) {
  const TempDir run;
  auto config = nano_config();
  config.model.resume = golden_path("checkpoints/published_trainer.pth");
  auto state = nano_state(config);
  const auto log = logged([&] { EXPECT_TRUE(resume(config, run.path(), state).empty()); });
  EXPECT_EQ(state.progress.epoch, 2);
  EXPECT_EQ(state.progress.step, 2 * kStepsPerEpoch);
  EXPECT_FALSE(state.progress.has_best()) << "that was in another directory";
  EXPECT_NE(log.find("published_trainer.pth: 2 epochs and 0 batches done"), std::string::npos)
      << log;
}

// A file with the keys of the original trainer, and with `config` as its settings.
void write_published(const std::string& path, const TrainState& state, const Config& config) {
  auto saved = nano_state(config);
  saved.progress.epoch = state.progress.epoch;
  save_checkpoint(path, saved);
  TensorFile file(path);
  TensorTree tree;
  auto* root = tree.document.make(pickle::Kind::dict);
  const auto* all = tree.copy_of(file);
  for (const char* key : {"model", "optimizer", "max_accuracy", "epoch", "config"}) {
    tree.document.put(root, key, const_cast<pickle::Value*>(all->find(key)));
  }
  tree.write(path, *root);
}

TEST(Resume, ComparesScaledLearningRatesOfAnOriginalCheckpoint) {
  const TempDir run;
  auto config = nano_config();
  config.data.batch_size = 48;  // 48 / 512 is not exact in every order of the product
  const auto in_force = [&](double rate) { return rate * 48 * 1 / 512.0; };
  auto scaled = config;
  scaled.train.base_lr = in_force(config.train.base_lr);
  scaled.train.warmup_lr = in_force(config.train.warmup_lr);
  scaled.train.min_lr = in_force(config.train.min_lr);
  scaled.train.start_epoch = 1;  // it had been resumed itself
  auto state = nano_state(config);
  write_published(run / "theirs.pth", state, scaled);
  config.model.resume = run / "theirs.pth";
  const auto same = logged([&] { resume(config, run.path(), state); });
  EXPECT_EQ(same.find("other settings"), std::string::npos) << same;

  config.train.base_lr *= 2;
  state.schedule = build_schedule(config, kStepsPerEpoch, /*world=*/1);
  const auto other = logged([&] { resume(config, run.path(), state); });
  EXPECT_NE(other.find("continuing with the new ones (learning rates as scaled by the batch): "
                       "TRAIN.BASE_LR 4.6875e-05 → 9.375e-05\n"),
            std::string::npos)
      << other;
}

TEST(Resume, ACheckpointOfAnotherModelNamesTheSettingThatChanged) {
  const TempDir run;
  auto config = nano_config();
  auto state = nano_state(config);
  save_checkpoint(run / "ckpt_epoch_1.pth", state, {/*serial=*/1});
  config.model.depth = 3;
  auto deeper = nano_state(config);
  try {
    resume(config, run.path(), deeper);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("made for another model: MODEL.DEPTH 0 → 3"),
              std::string::npos)
        << error.what();
  }
}

TEST(Resume, ACheckpointOfAnotherPredictorIsRefusedThoughItsShapesFit) {
  const TempDir run;
  auto config = nano_config();
  auto state = nano_state(config);
  save_checkpoint(run / "ckpt_epoch_1.pth", state, {/*serial=*/1});
  config.model.linear_predictor = "linear";
  auto other = nano_state(config);
  EXPECT_TRUE(has(error_of([&] { resume(config, run.path(), other); }),
                  "made for another model: MODEL.LINEAR_PREDICTOR \"bilateral\" → \"linear\"; "));
}

TEST(Resume, WithoutAutoResumeADirectoryWithCheckpointsIsRefused) {
  const TempDir run, elsewhere;
  auto config = nano_config();
  config.train.auto_resume = false;
  auto state = nano_state(config);
  EXPECT_TRUE(resume(config, run.path(), state).empty()) << "a new directory";
  save_checkpoint(elsewhere / "ckpt_epoch_1.pth", state, {/*serial=*/1});
  for (const char* name : {"ckpt_epoch_1.pth", "max_acc.pth"}) {
    write_file(run / name, "valid or not");
    for (const auto& given : {std::string(), elsewhere / "ckpt_epoch_1.pth"}) {
      config.model.resume = given;
      EXPECT_TRUE(has(error_of([&] { resume(config, run.path(), state); }),
                      run.path() + ": there are checkpoints here, which TRAIN.AUTO_RESUME false "
                                   "would overwrite"));
    }
    std::filesystem::remove(run / name);
  }
}

TEST(Resume, WithoutAutoResumeTheRunGoesBackAndKeepsLaterFiles) {
  const TempDir run;
  auto config = nano_config();
  auto state = nano_state(config);
  for (int64_t serial = 1; serial <= 3; ++serial) {
    state.progress.epoch = serial;
    state.progress.best_metric = 40 - 10.0 * static_cast<double>(serial);
    const SaveInfo info{serial, /*world=*/1, /*best=*/true};
    save_checkpoint(run / str("ckpt_epoch_", serial, ".pth"), state, info);
    save_checkpoint(run / "max_acc.pth", state, info);
  }
  write_file(run / "metrics.jsonl", "lines");
  config.train.auto_resume = false;
  config.model.resume = run / "ckpt_epoch_1.pth";
  std::vector<SavedCheckpoint> saved;
  const auto log = logged([&] { saved = resume(config, run.path(), state); });
  EXPECT_EQ(state.progress.epoch, 1);
  ASSERT_EQ(saved.size(), 1u);
  EXPECT_EQ(saved.front().serial, 1);
  EXPECT_TRUE(has(log, "ckpt_epoch_2.pth, ckpt_epoch_3.pth are now in " + (run / "old_1"))) << log;
  EXPECT_EQ(CheckpointFile(run / "old_1/ckpt_epoch_3.pth").serial(), 3);
  EXPECT_EQ(read_file(run / "old_1/metrics.jsonl"), "lines");
  EXPECT_EQ(CheckpointFile(run / "max_acc.pth").serial(), 3);
  EXPECT_EQ(state.progress.best_metric, 10) << "nothing worse takes the place of max_acc.pth";
}

}  // namespace
}  // namespace wf::testing
