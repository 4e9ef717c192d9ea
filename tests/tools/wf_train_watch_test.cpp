// What a run writes to be looked at: event files, summary.csv.

#include "support/all_tensors.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <cmath>
#include <sstream>

namespace wf::testing {
namespace {

using nlohmann::json;

class WatchedRun : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "run.yaml", R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 2, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2, DROP_PATH_RATE: 0.2}
TRAIN: {EPOCHS: 2, WARMUP_EPOCHS: 1, EMA_DECAY: 0.9}
TEST: {EVERY_STEPS: 20}
PRINT_FREQ: 2
DEVICE: cpu
THREADS: 1
)");
    write_toy_folder(folder_ / "data", /*train=*/400, /*val=*/30, /*side=*/16);
  }

  std::vector<std::string> command(const std::string& tag,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{program("wf_train"), "--cfg",          folder_ / "run.yaml",
                                   "--data-path",       folder_ / "data", "--output",
                                   folder_ / "out",     "--tag",          tag};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string file(const std::string& tag, const std::string& name) const {
    return folder_ / ("out/wfm_nano/" + tag + "/" + name);
  }
  std::vector<json> metrics(const std::string& tag) const {
    std::istringstream lines(read_file(file(tag, "metrics.jsonl")));
    std::vector<json> out;
    for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
    return out;
  }
  // [[step, value], …] of `key` in those lines of metrics.jsonl that have `kind`.
  json series(const std::string& tag, const char* key, const std::string& kind) const {
    auto out = json::array();
    for (const auto& line : metrics(tag)) {
      const bool epoch = line.contains("train_loss"), step = line.contains("loss");
      const bool wanted = kind == "step" ? step : kind == "epoch" ? epoch : !step;
      if (wanted && line.contains(key)) out.push_back({line["step"], line[key]});
    }
    return out;
  }

  TempDir folder_;
};

// Event files have float32.
void expect_series(const json& events, const json& lines, const char* what) {
  ASSERT_EQ(events.size(), lines.size()) << what << events << "\n" << lines;
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(events[i][0], lines[i][0]) << what;
    EXPECT_EQ(events[i][1].get<float>(), lines[i][1].get<float>()) << what << " " << lines[i][0];
  }
}

TEST_F(WatchedRun, TensorBoardReadsEachStepOnceAfterAKill) {
  {
    Process killed(command("run"));
    ASSERT_TRUE(killed.wait_for("ckpt_epoch_1.pth in ")) << killed.err();
    ASSERT_TRUE(killed.wait_for("train [2/2][24/50]")) << killed.err();
    killed.send(SIGKILL);
    killed.wait();
  }
  const auto resumed = run(command("run"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const auto end =
      run({WF_PYTHON, WF_SOURCE_DIR "/tests/tools/read_events.py", file("run", "tensorboard")});
  if (end.code == 77) GTEST_SKIP() << "Python has no tensorboard";
  ASSERT_EQ(end.code, 0) << end.err;
  const auto seen = json::parse(end.out);
  const auto& scalars = seen["scalars"];
  for (const char* key : {"loss", "lr", "grad_norm", "images_per_s", "data_wait"}) {
    expect_series(scalars["train/" + std::string(key)], series("run", key, "step"), key);
  }
  EXPECT_EQ(scalars["train/loss"].size(), 50u);
  EXPECT_EQ(scalars["train/memory_mib"].size(), 50u);
  EXPECT_GT(scalars["train/memory_mib"][0][1], 1.0);
  expect_series(scalars["epoch/train_loss"], series("run", "train_loss", "epoch"), "train_loss");
  expect_series(scalars["val/acc1"], series("run", "val_acc1", "validation"), "acc1");
  expect_series(scalars["val_ema/loss"], series("run", "val_ema_loss", "validation"), "ema");
  EXPECT_NE(seen["texts"]["config"][0].get<std::string>().find("    PRINT_FREQ: 2\n"),
            std::string::npos);
  EXPECT_EQ(seen["texts"]["config"].size(), 1u);
  EXPECT_EQ(seen["hparams"]["MODEL.DROP_PATH_RATE"], 0.2);
  EXPECT_EQ(seen["hparams"]["MODEL.NAME"], "wfm_nano");
  EXPECT_EQ(seen["hparams"]["TEST.CROP"], true);
  EXPECT_EQ(seen["images"]["augmented"], json::array({{0, 8 * 16, 4 * 16, "89504e47"}}));
  EXPECT_EQ(seen["ended"], true);

  std::istringstream summary(read_file(file("run", "summary.csv")));
  std::string line;
  std::getline(summary, line);
  EXPECT_EQ(line.rfind("epoch,train_loss,eval_loss,eval_top1,eval_top5,lr,eval_ema_loss", 0), 0u);
  for (const char* begin : {"0,", "1,"}) {
    ASSERT_TRUE(std::getline(summary, line));
    EXPECT_EQ(line.rfind(begin, 0), 0u) << line;
  }
  EXPECT_FALSE(std::getline(summary, line)) << line;
}

TEST_F(WatchedRun, TheWeightsAreTheSameWithAndWithoutEventFiles) {
  for (const char* choice : {"true", "false"}) {
    const auto end = run(command(choice, {"--opts", "TENSORBOARD", choice}));
    ASSERT_EQ(end.code, 0) << end.err;
  }
  EXPECT_TRUE(std::filesystem::exists(file("true", "tensorboard")));
  EXPECT_FALSE(std::filesystem::exists(file("false", "tensorboard")));
  const auto with = all_tensors(file("true", "ckpt_epoch_2.pth"));
  const auto without = all_tensors(file("false", "ckpt_epoch_2.pth"));
  ASSERT_EQ(with.size(), without.size());
  for (const auto& [name, tensor] : with) {
    EXPECT_TRUE(torch::equal(tensor, without.at(name))) << name;
  }
}

TEST_F(WatchedRun, IsVerifiedByTrainingAgainBetweenCheckpoints) {
  ASSERT_EQ(run(command("run", {"--opts", "SAVE_STEPS", "16"})).code, 0);
  const auto verify = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{program("wf_report"), "--verify", file("run", "")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const auto log = read_file(file("run", "log.txt"));
  for (const char* seed : {"1", "2"}) {
    const auto end = verify({"--seed", seed});
    EXPECT_EQ(end.code, 0) << end.err << end.out;
    EXPECT_NE(end.out.find("bit-equal: "), std::string::npos) << end.out;
    EXPECT_EQ(end.out.find(", 0 losses"), std::string::npos) << end.out;
  }
  EXPECT_EQ(read_file(file("run", "log.txt")), log) << "the run directory is not changed";
  // A run with another learning rate differs from its first step on, in the loss and the weights.
  const auto other = verify({"--opts", "TRAIN.BASE_LR", "0.1"});
  EXPECT_EQ(other.code, 1) << other.err;
  EXPECT_NE(other.out.find("different: the loss at step "), std::string::npos) << other.out;
  write_file(file("run", "metrics.jsonl"), "{\"epoch\":0,\"train_loss\":1}\n");
  const auto weights = verify({"--opts", "TRAIN.BASE_LR", "0.1"});
  EXPECT_EQ(weights.code, 1) << weights.err;
  EXPECT_NE(weights.out.find("different: model."), std::string::npos) << weights.out;
  const auto two = verify({"--opts", "DATA.BATCH_SIZE", "4"});
  EXPECT_EQ(two.code, 2);
  EXPECT_NE(two.err.find("trained by several processes"), std::string::npos) << two.err;
}

TEST_F(WatchedRun, AFullDiskForTheEventsIsOneWarningAndTrainingContinues) {
  if (run({"unshare", "-rm", "true"}).code != 0) GTEST_SKIP() << "no mounts are allowed here";
  const auto directory = file("run", "tensorboard");
  std::filesystem::create_directories(directory);
  std::vector<std::string> words{
      "unshare", "-rm", "bash", "-c", "mount -t tmpfs -o size=8k tmpfs \"$0\" && exec \"$@\"",
      directory};
  const auto train = command("run");
  words.insert(words.end(), train.begin(), train.end());
  const auto end = run(words);
  ASSERT_EQ(end.code, 0) << end.err;
  const std::string warning = "No space left on device; training continues";
  const auto first = end.err.find(warning);
  ASSERT_NE(first, std::string::npos) << end.err;
  EXPECT_EQ(end.err.find(warning, first + 1), std::string::npos) << end.err;
  EXPECT_EQ(series("run", "loss", "step").size(), 50u);
}

}  // namespace
}  // namespace wf::testing
