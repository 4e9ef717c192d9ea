#include "checkpoint/checkpoint.h"

#include "weightformer/core/check.h"

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/checkpoint_observer.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>

namespace wf::testing {
namespace {

TrainState nano_state(int64_t classes = 10) {
  TrainState state;
  state.model = make_classifier(classifier_options("wfm_nano").num_classes(classes));
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
  state.metadata = {{"classes", {"a", "b \"quoted\""}}};
  return state;
}

EpochReport epoch_report(bool best = false, bool last = false, int64_t epoch = 0) {
  EpochReport report;
  report.epoch = epoch;
  report.validation.emplace();
  report.validation->best = best;
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

// A Progress whose fields all differ from each other and from the defaults.
struct Fill {
  int64_t count = 3;
  void operator()(int64_t& field, const char*) { field = count++; }
  void operator()(double& field, const char*) { field = 0.1 + static_cast<double>(count++); }
  void operator()(bool& field, const char*) { field = true; }
};

std::map<std::string, double> fields_of(const Progress& progress) {
  std::map<std::string, double> fields;
  visit_progress(progress, [&](const auto& field, const char* name) {
    fields[name] = static_cast<double>(field);
  });
  return fields;
}

TEST(Progress, AnEpochWhoseValidationIsDueCountsAsFinished) {
  Progress progress;
  EXPECT_FALSE(progress.validation_due()) << "no batch of no batches";
  progress.batches = 4;
  progress.batch = 3;
  progress.loss_count = 12;
  EXPECT_FALSE(progress.validation_due());
  EXPECT_EQ(progress.finished_epochs(), 0);
  progress.batch = 4;
  EXPECT_TRUE(progress.validation_due());
  EXPECT_EQ(progress.finished_epochs(), 1);
  progress.start_next_epoch();
  EXPECT_FALSE(progress.validation_due());
  EXPECT_EQ(progress.finished_epochs(), 1);
  EXPECT_EQ(progress.batch, 0);
  EXPECT_EQ(progress.loss_count, 0);
  EXPECT_EQ(progress.batches, 4);
}

TEST(Checkpoint, RestoresModelOptimizerClassesAndEveryFieldOfTheProgress) {
  const TempDir folder;
  auto saved = nano_state();
  for (auto& [name, tensor] : saved.optimizer->state()) at::Tensor(tensor).fill_(0.25);
  visit_progress(saved.progress, Fill());
  save_checkpoint(folder / "c.pth", saved);

  auto loaded = nano_state();
  CheckpointFile(folder / "c.pth").load_into(loaded);
  EXPECT_EQ(fields_of(loaded.progress), fields_of(saved.progress));
  for (const auto& [name, tensor] : state_dict(*saved.model)) {
    EXPECT_TRUE(torch::equal(tensor, state_dict(*loaded.model).at(name))) << name;
  }
  for (const auto& [name, tensor] : loaded.optimizer->state()) {
    EXPECT_TRUE(tensor.eq(0.25).all().item<bool>()) << name;
  }
  const auto weights = read_weights(folder / "c.pth");
  EXPECT_EQ(weights.classes, saved.metadata.at("classes"));
  EXPECT_EQ(weights.tensors.count("head.weight"), 1u);
}

TEST(Checkpoint, OfAnotherClassCountIsRefusedWithBothShapes) {
  const TempDir folder;
  save_checkpoint(folder / "c.pth", nano_state(7));
  auto state = nano_state();
  try {
    CheckpointFile(folder / "c.pth").load_into(state);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("[7"), std::string::npos) << message;
    EXPECT_NE(message.find("[10"), std::string::npos) << message;
  }
}

TEST(Checkpoint, PlainWeightsCannotBeResumed) {
  const TempDir folder;
  write_safetensors(folder / "w.safetensors", {state_dict(*nano_state().model), {}});
  EXPECT_THROW(CheckpointFile(folder / "w.safetensors"), Error);
  EXPECT_THROW(CheckpointFile(golden_path("checkpoints/bare_state_dict.pth")), Error);
}

TEST(Checkpoint, OfTheOriginalTrainerResumesWithOptimizerAndSchedule) {
  const auto path = golden_path("checkpoints/published_trainer.pth");
  auto state = nano_state();
  CheckpointFile(path).load_into(state, /*steps_per_epoch=*/4);
  EXPECT_EQ(state.progress.epoch, 2) << "two are finished: the published name is ckpt_epoch_2.pth";
  EXPECT_EQ(state.progress.batch, 0);
  EXPECT_EQ(state.progress.step, 8);
  EXPECT_EQ(state.progress.best_metric, 41.5);
  // By index in the file, by name here: 0 is the first with weight decay, 27 the first without.
  TensorFile file(path);
  const auto& slots = *file.root().find("optimizer")->find("state");
  const auto own = state.optimizer->state();
  size_t seen = 0;
  const std::pair<int64_t, std::string> cases[] = {{0, "patch_embed.proj.weight"},
                                                   {1, "blocks.0.linear1.weight"},
                                                   {26, "head.weight"},
                                                   {27, "patch_embed.proj.bias"},
                                                   {65, "head.bias"}};
  for (const auto& [number, name] : cases) {
    for (size_t i = 0; i + 1 < slots.items.size(); i += 2) {
      if (slots.items[i]->integer != number) continue;
      for (const std::string slot : {"exp_avg", "exp_avg_sq", "step"}) {
        const auto want = file.tensor(*slots.items[i + 1]->find(slot));
        EXPECT_TRUE(torch::equal(own.at(slot + "." + name), want)) << slot << " " << name;
      }
      ++seen;
    }
  }
  EXPECT_EQ(seen, 5u);
  EXPECT_GT(own.at("exp_avg_sq.head.weight").sum().item<double>(), 0);
}

TEST(Checkpoint, HasThePublishedKeysAndGroups) {
  const TempDir folder;
  auto state = nano_state();
  OptimizerOptions options;
  options.beta1 = 0.8;
  state.optimizer = make_optimizer(options, param_groups(*state.model, 0.05));
  state.config.seed = 7;
  state.schedule.total_steps = 100;
  state.progress.epoch = 3;
  save_checkpoint(folder / "c.pth", state, {/*serial=*/5, /*world=*/2});
  TensorFile file(folder / "c.pth");
  for (const char* key :
       {"model", "optimizer", "lr_scheduler", "max_accuracy", "epoch", "config"}) {
    EXPECT_TRUE(file.root().find(key)) << key;
  }
  EXPECT_EQ(file.root().find("epoch")->integer, 3) << "finished epochs";
  EXPECT_EQ(file.root().find("config")->find("SEED")->integer, 7);
  const auto& groups = file.root().find("optimizer")->find("param_groups")->items;
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0]->find("weight_decay")->real, 0.05);
  EXPECT_EQ(groups[1]->find("weight_decay")->real, 0.0);
  EXPECT_EQ(groups[0]->find("params")->items.size(), 27u);
  EXPECT_EQ(groups[1]->find("params")->items.front()->integer, 27);
  EXPECT_EQ(groups[0]->find("betas")->items.at(0)->real, 0.8);
  EXPECT_EQ(file.root().find("weightformer")->find("world_size")->integer, 2);
}

TEST(Checkpoint, DescribesAConstantScheduleByItsWarmUp) {
  const TempDir folder;
  auto state = nano_state();
  state.schedule.kind = LrScheduleKind::constant;
  state.schedule.warmup_steps = 8;
  save_checkpoint(folder / "c.pth", state);
  TensorFile file(folder / "c.pth");
  const auto* schedule = file.root().find("lr_scheduler");
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->find("warmup_t")->integer, 8);
  EXPECT_FALSE(schedule->find("t_initial"));
  EXPECT_FALSE(schedule->find("decay_rate"));
}

TEST(Checkpoint, OfFormatTwoResumesWhereItStood) {
  TrainState state;
  state.model = make_classifier(classifier_options("wfm_nano").num_classes(2).dim(8).depth(1));
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
  CheckpointFile file(golden_path("checkpoints/ours_format2.pth"));
  EXPECT_FALSE(file.published());
  EXPECT_EQ(file.serial(), 4);
  file.load_into(state, /*steps_per_epoch=*/7);
  EXPECT_EQ(state.progress.epoch, 2)
      << "at the root of the file it is 1, the index of the last finished one";
  EXPECT_EQ(state.progress.batch, 3);
  EXPECT_EQ(state.progress.batches, 5);
  EXPECT_EQ(state.progress.step, 13);
  EXPECT_EQ(state.progress.best_metric, 62.5);
  EXPECT_TRUE(state_dict(*state.model).at("head.weight").eq(0.5).all().item<bool>());
  EXPECT_TRUE(state.optimizer->state().at("exp_avg.head.weight").eq(0.25).all().item<bool>());
  EXPECT_EQ(file.config(Config()).seed, 7);
}

// A checkpoint with the format of a future version.
void write_later_format(const std::string& path) {
  TensorTree tree;
  auto* root = tree.document.make(pickle::Kind::dict);
  for (const char* key : {"model", "optimizer"}) {
    auto* part = tree.document.put(root, key, tree.document.make(pickle::Kind::dict));
    tree.document.put(part, "x", tree.of(torch::ones({2})));
  }
  auto* own = tree.document.put(root, "weightformer", tree.document.make(pickle::Kind::dict));
  tree.document.put(own, "format", tree.document.of(kCheckpointFormat + 1));
  tree.document.put(own, "progress", tree.document.of("moved elsewhere"));
  tree.write(path, *root);
}

TEST(Checkpoint, OfALaterFormatIsRefusedAndNeitherSkippedNorOverwritten) {
  const TempDir folder;
  save_checkpoint(folder / "ckpt_epoch_1.pth", nano_state(), {/*serial=*/1});
  write_later_format(folder / "ckpt_epoch_2.pth");
  const auto expected = folder / "ckpt_epoch_2.pth" +
                        ": a checkpoint of format 4, and this version reads up to 3: resume with "
                        "the version that wrote it, or give the run another --tag";
  auto state = nano_state();
  const std::function<void()> readers[] = {
      [&] { CheckpointFile(folder / "ckpt_epoch_2.pth").load_into(state); },
      [&] { newest_checkpoint(folder.path()); }, [&] { list_checkpoints(folder.path()); }};
  for (const auto& read : readers) EXPECT_EQ(error_of(read), expected);
}

TEST(Checkpoint, ASnapshotIsOfTheMomentItWasTaken) {
  const TempDir folder;
  auto state = nano_state();
  const Snapshot snapshot(state, {});
  save_checkpoint(folder / "now.pth", state);
  for (auto& tensor : state.model->parameters()) tensor.data().zero_();
  snapshot.write(folder / "then.pth");
  EXPECT_EQ(read_file(folder / "then.pth"), read_file(folder / "now.pth"));
}

std::string newest_path(const std::string& folder) {
  const auto newest = newest_checkpoint(folder);
  return newest.file ? newest.file->path() : "";
}

TEST(NewestCheckpoint, IsTheOneSavedLastThatIsValid) {
  const TempDir folder;
  EXPECT_FALSE(newest_checkpoint(folder.path()).file);
  auto state = nano_state();
  save_checkpoint(folder / "ckpt_epoch_9.pth", state, {/*serial=*/1});
  save_checkpoint(folder / "ckpt_epoch_2.pth", state, {/*serial=*/2});
  save_checkpoint(folder / "ckpt_epoch_3.pth", state, {/*serial=*/3});
  EXPECT_EQ(newest_path(folder.path()), folder / "ckpt_epoch_3.pth");

  auto bytes = read_file(folder / "ckpt_epoch_3.pth");
  bytes[bytes.size() / 2] ^= 1;  // one bit of a tensor
  write_file(folder / "ckpt_epoch_3.pth", bytes);
  EXPECT_EQ(newest_path(folder.path()), folder / "ckpt_epoch_2.pth");

  bytes = read_file(folder / "ckpt_epoch_2.pth");
  write_file(folder / "ckpt_epoch_2.pth", bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(newest_path(folder.path()), folder / "ckpt_epoch_9.pth");
}

TEST(NewestCheckpoint, FallsBackToBestAndNeverRestartsOverDamagedFiles) {
  const TempDir folder;
  auto state = nano_state();
  save_checkpoint(folder / "max_acc.pth", state, {/*serial=*/1});
  save_checkpoint(folder / "ckpt_epoch_9.pth", state, {/*serial=*/2});
  EXPECT_EQ(newest_path(folder.path()), folder / "ckpt_epoch_9.pth");
  write_file(folder / "ckpt_epoch_9.pth", read_file(folder / "ckpt_epoch_9.pth").substr(0, 1000));
  EXPECT_EQ(newest_path(folder.path()), folder / "max_acc.pth");
  write_file(folder / "max_acc.pth", "");
  try {
    newest_checkpoint(folder.path());
    FAIL() << "it would have been overwritten";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("all checkpoints here are invalid"),
              std::string::npos);
  }
}

const std::vector<SavedCheckpoint> none;

CheckpointOptions every(int64_t epochs) {
  CheckpointOptions options;
  options.save_freq = epochs;
  return options;
}

// A report of the end of an epoch.
void end_epoch(CheckpointObserver& observer, TrainState& state, int64_t epoch, EpochReport report) {
  report.epoch = state.progress.epoch = epoch - 1;
  state.progress.step = 10 * epoch;
  observer.on_train_epoch_end(state, report);
  state.progress.epoch = epoch;
  observer.on_epoch_end(state, report);
}

TEST(CheckpointObserver, AnEpochIsSavedBeforeItsValidation) {
  const TempDir folder;
  auto state = nano_state();
  state.progress.step = state.progress.batch = state.progress.batches = 10;
  {
    CheckpointObserver observer(folder.path(), every(1), {});
    observer.on_train_epoch_end(state, epoch_report());
  }
  auto resumed = nano_state();
  CheckpointFile(folder / "ckpt_epoch_1.pth").load_into(resumed);
  EXPECT_EQ(resumed.progress.epoch, 0);
  EXPECT_EQ(resumed.progress.batch, 10);
  const TensorFile file(folder / "ckpt_epoch_1.pth");
  EXPECT_EQ(file.root().find("epoch")->integer, 1) << "the original trainer resumes there";
  CheckpointObserver again(folder.path(), every(1), list_checkpoints(folder.path()));
  again.on_start(resumed);
  std::filesystem::remove(folder / "ckpt_epoch_1.pth");
  again.on_train_epoch_end(resumed, epoch_report());  // resumed at this step
  again.on_stop(resumed);                             // waits for pending writes
  EXPECT_EQ(files_in(folder.path()), (std::set<std::string>{"ckpt_step_10.pth"}));
}

TEST(CheckpointObserver, KeepsTheNewestThreeAndTheBest) {
  const TempDir folder;
  auto observer = std::make_unique<CheckpointObserver>(folder.path(), every(2), none);
  write_file(folder / "ckpt_epoch_1.pth.tmp123", "left by a killed process");
  auto state = nano_state();
  observer->on_start(state);
  for (int64_t epoch = 1; epoch <= 9; ++epoch) {
    end_epoch(*observer, state, epoch, epoch_report(/*best=*/epoch == 3, /*last=*/epoch == 9));
  }
  observer.reset();
  EXPECT_EQ(files_in(folder.path()), (std::set<std::string>{"ckpt_epoch_6.pth", "ckpt_epoch_8.pth",
                                                            "ckpt_epoch_9.pth", "max_acc.pth"}));
  auto best = nano_state();
  CheckpointFile(folder / "max_acc.pth").load_into(best);
  EXPECT_EQ(best.progress.epoch, 3);
}

TEST(CheckpointObserver, ARunThatWentBackIgnoresAbandonedCheckpoints) {
  const TempDir folder;
  auto state = nano_state();
  const auto train_to = [&](int64_t first, int64_t last) {
    CheckpointObserver observer(folder.path(), every(1), list_checkpoints(folder.path()));
    observer.on_start(state);
    for (int64_t epoch = first; epoch <= last; ++epoch) {
      end_epoch(observer, state, epoch, epoch_report(/*best=*/false, /*last=*/false));
    }
  };
  train_to(8, 10);
  train_to(2, 3);  // the user resumed an old checkpoint
  EXPECT_EQ(newest_path(folder.path()), folder / "ckpt_epoch_3.pth");
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"ckpt_epoch_10.pth", "ckpt_epoch_2.pth", "ckpt_epoch_3.pth"}));
}

TEST(CheckpointObserver, StepsSaveInsideAnEpochWhereTheStateIsKnown) {
  const TempDir folder;
  auto options = every(1);
  options.save_steps = 10;
  auto observer = std::make_unique<CheckpointObserver>(folder.path(), options, none);
  auto state = nano_state();
  observer->on_start(state);
  for (int64_t step = 1; step <= 40; ++step) {
    state.progress.step = step;
    StepReport report;
    report.batch = step;
    report.batches = 40;
    report.has_loss = step % 4 == 0;
    observer->on_step(state, report);
  }
  observer.reset();
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"ckpt_step_12.pth", "ckpt_step_20.pth", "ckpt_step_32.pth"}));
}

TEST(CheckpointObserver, AStepLimitInsideAnEpochIsSavedByItsStep) {
  const TempDir folder;
  auto state = nano_state();
  state.progress.step = 7;
  {
    CheckpointObserver observer(folder.path(), every(1), {});
    auto report = epoch_report(/*best=*/true, /*last=*/true);
    report.complete = false;
    observer.on_train_epoch_end(state, report);
    observer.on_epoch_end(state, report);
  }
  EXPECT_EQ(files_in(folder.path()), (std::set<std::string>{"ckpt_step_7.pth", "max_acc.pth"}));
}

TEST(CheckpointObserver, ABestValidationInsideAnEpochIsKept) {
  const TempDir folder;
  const auto state = nano_state();
  {
    CheckpointObserver observer(folder.path(), every(1), {});
    ValidationReport report;
    observer.on_validation(state, report);
    report.best = true;
    observer.on_validation(state, report);
  }
  EXPECT_EQ(files_in(folder.path()), std::set<std::string>{"max_acc.pth"});
}

TEST(Checkpoint, KeepsEveryEmaUnderItsOwnKey) {
  const TempDir folder;
  const auto with_emas = [](size_t count) {
    auto state = nano_state();
    for (size_t i = 0; i < count; ++i) {
      state.emas.push_back(std::make_unique<Ema>(*state.model, 0.9));
      for (const auto& [name, weight] : state.emas[i]->state()) {
        at::Tensor(weight).fill_(static_cast<double>(i) + 1);
      }
    }
    return state;
  };
  save_checkpoint(folder / "c.pth", with_emas(2));
  auto loaded = with_emas(3);
  CheckpointFile(folder / "c.pth").load_into(loaded);
  EXPECT_EQ(loaded.emas[0]->state().at("head.bias")[0].item<float>(), 1);
  EXPECT_EQ(loaded.emas[1]->state().at("head.bias")[0].item<float>(), 2);
  EXPECT_TRUE(torch::equal(loaded.emas[2]->state().at("head.weight"),
                           loaded.model->named_parameters()["head.weight"]))
      << "one that is not in the file starts from the trained weights";
}

TEST(CheckpointObserver, AnUnwritableDirectoryDoesNotEndTheRun) {
  const TempDir folder;
  const auto state = nano_state();
  {
    CheckpointObserver observer(folder / "gone", every(1), {});
    observer.on_epoch_end(state, epoch_report(/*best=*/true));
    EXPECT_THROW(observer.on_stop(state), Error)
        << "the last chance to save must not pass silently";
    EXPECT_THROW(observer.on_epoch_end(state, epoch_report(true, /*last=*/true)), Error);
  }
  // Once there is space again, the same snapshot is written, and the best one too.
  auto options = every(1);
  options.retry_after = std::chrono::milliseconds(5);
  CheckpointObserver observer(folder / "late", options, {});
  observer.on_epoch_end(state, epoch_report(/*best=*/true));
  std::filesystem::create_directory(folder / "late");
  const auto there = [&] { return files_in(folder / "late").count("ckpt_epoch_1.pth") > 0; };
  for (int i = 0; i < 1000 && !there(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(files_in(folder / "late"), (std::set<std::string>{"ckpt_epoch_1.pth", "max_acc.pth"}));
}

// RLIMIT_FSIZE stands in for a full disk: writing past it fails with EFBIG once the signal is
// ignored.
TEST(CheckpointObserver, AFullDiskIsAnErrorLineAndTheOldCheckpointStays) {
  const TempDir folder;
  auto state = nano_state();
  CheckpointObserver observer(folder.path(), every(1), {});
  observer.on_start(state);
  state.progress.epoch = 1;
  observer.on_epoch_end(state, epoch_report(false, false, 0));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 100'000;
  // The first one must be on the disk before the space runs out.
  while (list_checkpoints(folder.path()).empty()) std::this_thread::yield();
  ::setrlimit(RLIMIT_FSIZE, &small);
  state.progress.epoch = 2;
  observer.on_epoch_end(state, epoch_report(false, false, /*epoch=*/1));
  EXPECT_THROW(observer.on_stop(state), Error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(files_in(folder.path()), (std::set<std::string>{"ckpt_epoch_1.pth"}));
  observer.on_stop(state);  // space again
  EXPECT_EQ(files_in(folder.path()).count("ckpt_step_0.pth"), 1u);
}

}  // namespace
}  // namespace wf::testing
