#include "weightformer/checkpoint/checkpoint.h"

#include "weightformer/checkpoint/checkpoint_observer.h"
#include "weightformer/core/check.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <filesystem>
#include <set>

namespace wf::testing {
namespace {

TrainState nano_state(int64_t classes = 10) {
  TrainState state;
  ClassifierOverrides overrides;
  overrides.num_classes = classes;
  state.model = create_classifier("wfm_nano", overrides);
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
  state.classes = {"a", "b \"quoted\""};
  return state;
}

EpochReport epoch_report(bool best = false, bool last = false) {
  EpochReport report;
  report.best = best;
  report.last = last;
  return report;
}

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(Checkpoint, EverythingComesBack) {
  const TempDir folder;
  auto saved = nano_state();
  for (auto& [name, tensor] : saved.optimizer->state()) at::Tensor(tensor).fill_(0.25);
  saved.progress = {.epoch = 3,
                    .batch = 4,
                    .batches = 9,
                    .batch_images = 64,
                    .step = 31,
                    .loss_sum = 0.1 + 0.2,
                    .loss_count = 17,
                    .max_accuracy = 66.7};
  save_checkpoint(folder / "c.safetensors", saved);

  auto loaded = nano_state();
  load_checkpoint(folder / "c.safetensors", loaded);
  EXPECT_EQ(loaded.progress.epoch, 3);
  EXPECT_EQ(loaded.progress.batch, 4);
  EXPECT_EQ(loaded.progress.batch_images, 64);
  EXPECT_EQ(loaded.progress.step, 31);
  EXPECT_EQ(loaded.progress.loss_sum, 0.1 + 0.2);
  EXPECT_EQ(loaded.progress.max_accuracy, 66.7);
  for (const auto& [name, tensor] : state_dict(*saved.model)) {
    EXPECT_TRUE(torch::equal(tensor, state_dict(*loaded.model).at(name))) << name;
  }
  for (const auto& [name, tensor] : loaded.optimizer->state()) {
    EXPECT_TRUE(tensor.eq(0.25).all().item<bool>()) << name;
  }
  const auto weights = read_weights(folder / "c.safetensors");
  EXPECT_EQ(weights.classes, saved.classes);
  EXPECT_EQ(weights.tensors.count("head.weight"), 1u);
}

TEST(Checkpoint, OfAnotherClassCountIsRefusedWithBothShapes) {
  const TempDir folder;
  save_checkpoint(folder / "c.safetensors", nano_state(7));
  auto state = nano_state();
  try {
    load_checkpoint(folder / "c.safetensors", state);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("[7"), std::string::npos) << message;
    EXPECT_NE(message.find("[10"), std::string::npos) << message;
  }
}

TEST(Checkpoint, PlainWeightsCannotBeResumed) {
  const TempDir folder;
  auto state = nano_state();
  write_safetensors(folder / "w.safetensors", {state_dict(*state.model), {}});
  EXPECT_THROW(load_checkpoint(folder / "w.safetensors", state), Error);
  EXPECT_EQ(read_weights(folder / "w.safetensors").tensors.size(), state_dict(*state.model).size());
}

TEST(NewestCheckpoint, IsTheFurthestThatIsWhole) {
  const TempDir folder;
  EXPECT_FALSE(newest_checkpoint(folder.path()).has_value());
  auto state = nano_state();
  // The later file is the older state: what counts is the run, not the clock.
  state.progress.step = 20;
  save_checkpoint(folder / "ckpt_epoch_2.safetensors", state);
  state.progress.step = 9;
  save_checkpoint(folder / "ckpt_epoch_10.safetensors", state);
  EXPECT_EQ(newest_checkpoint(folder.path()), folder / "ckpt_epoch_2.safetensors");

  const auto bytes = read_file(folder / "ckpt_epoch_2.safetensors");
  write_file(folder / "ckpt_epoch_2.safetensors", bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(newest_checkpoint(folder.path()), folder / "ckpt_epoch_10.safetensors");
}

TEST(CheckpointObserver, KeepsTheNewestThreeAndTheBest) {
  const TempDir folder;
  CheckpointObserver observer(folder.path(), /*save_freq=*/2);
  write_file(folder / "ckpt_epoch_1.safetensors.tmp123", "left by a killed process");
  auto state = nano_state();
  observer.on_start(state);
  for (int64_t epoch = 1; epoch <= 9; ++epoch) {
    state.progress.epoch = epoch;
    state.progress.step = 10 * epoch;
    observer.on_epoch(state, epoch_report(/*best=*/epoch == 3, /*last=*/epoch == 9));
  }
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"ckpt_epoch_6.safetensors", "ckpt_epoch_8.safetensors",
                                   "ckpt_epoch_9.safetensors", "max_acc.safetensors"}));
  auto best = nano_state();
  load_checkpoint(folder / "max_acc.safetensors", best);
  EXPECT_EQ(best.progress.epoch, 3);
}

TEST(CheckpointObserver, ARunThatWentBackIsNotOvertakenByWhatItLeftBehind) {
  const TempDir folder;
  auto state = nano_state();
  const auto train_to = [&](int64_t first, int64_t last) {
    CheckpointObserver observer(folder.path(), /*save_freq=*/1);
    observer.on_start(state);
    for (int64_t epoch = first; epoch <= last; ++epoch) {
      state.progress.epoch = epoch;
      state.progress.step = 10 * epoch;
      observer.on_epoch(state, epoch_report(/*best=*/false, /*last=*/false));
    }
  };
  train_to(8, 10);
  train_to(2, 3);  // the user resumed an old checkpoint
  EXPECT_EQ(newest_checkpoint(folder.path()), folder / "ckpt_epoch_3.safetensors");
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"ckpt_epoch_10.safetensors", "ckpt_epoch_2.safetensors",
                                   "ckpt_epoch_3.safetensors"}));
}

TEST(CheckpointObserver, AFolderThatCannotBeWrittenDoesNotEndTheRun) {
  const TempDir folder;
  CheckpointObserver observer(folder / "gone", 1);
  const auto state = nano_state();
  observer.on_epoch(state, epoch_report(true, true));
  EXPECT_THROW(observer.on_stop(state), Error) << "the last chance to save must not pass silently";
}

}  // namespace
}  // namespace wf::testing
