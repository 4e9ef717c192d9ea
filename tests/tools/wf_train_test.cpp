// The program itself, on a small folder: trained, killed, resumed, evaluated.

#include "weightformer/checkpoint/safetensors.h"
#include "weightformer/data/image_folder.h"

#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"
#include "support/zip_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <sstream>
#include <tuple>

namespace wf::testing {
namespace {

class WfTrain : public ::testing::Test {
 protected:
  static constexpr const char* kConfig = R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 2, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2, DROP_PATH_RATE: 0.2}
TRAIN: {EPOCHS: 2, WARMUP_EPOCHS: 1}
AUG: {MIXUP: 0, CUTMIX: 0, AUTO_AUGMENT: none, COLOR_JITTER: 0, REPROB: 0}
PRINT_FREQ: 2
)";

  void SetUp() override {
    write_file(folder_ / "run.yaml", kConfig);
    write_toy_folder(folder_ / "data", /*train=*/400, /*val=*/30, /*side=*/16);
  }

  std::vector<std::string> command(const std::string& tag,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{program("wf_train"),
                                   "--cfg",
                                   folder_ / "run.yaml",
                                   "--data-path",
                                   folder_ / "data",
                                   "--output",
                                   folder_ / "out",
                                   "--tag",
                                   tag,
                                   "--device",
                                   "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string run_file(const std::string& tag, const std::string& name) const {
    return folder_ / ("out/wfm_nano/" + tag + "/" + name);
  }
  TensorMap final_tensors(const std::string& tag) const {
    return read_safetensors(run_file(tag, "ckpt_epoch_2.safetensors")).tensors;
  }
  // What a user compares: all but the speed, which no two runs share.
  std::vector<nlohmann::json> metrics(const std::string& tag) const {
    std::istringstream lines(read_file(run_file(tag, "metrics.jsonl")));
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(lines, line);) {
      out.push_back(nlohmann::json::parse(line));
      out.back().erase("images_per_s");
      out.back().erase("data_wait");
    }
    return out;
  }
  void expect_equal_runs(const std::string& a, const std::string& b) const {
    const auto ours = final_tensors(a), theirs = final_tensors(b);
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [name, tensor] : ours) {
      EXPECT_TRUE(torch::equal(tensor, theirs.at(name))) << name;
    }
    EXPECT_EQ(metrics(a), metrics(b));
  }

  TempDir folder_;
};

TEST_F(WfTrain, KilledAndResumedItEndsWithTheWeightsOfTheUnbrokenRun) {
  const auto unbroken = run(command("unbroken"));
  ASSERT_EQ(unbroken.code, 0) << unbroken.err;
  {
    Process killed(command("broken"));
    ASSERT_TRUE(killed.wait_for("train [2/2][10/50]")) << killed.err();
    killed.send(SIGKILL);
    EXPECT_EQ(killed.wait().code, 128 + SIGKILL);
  }
  const auto resumed = run(command("broken"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("ckpt_epoch_1.safetensors: 1 epochs and 0 batches done"),
            std::string::npos)
      << resumed.err;
  expect_equal_runs("unbroken", "broken");
}

TEST_F(WfTrain, WithTheWholeRecipeToo) {
  for (const auto& [tag, mode, large] :
       {std::tuple{"batch", "batch", false}, {"elem", "elem", true}}) {
    // The published augmentation, which the tests' configuration switches off, and all that is new.
    std::vector<std::string> recipe{"--opts",
                                    "AUG.MIXUP",
                                    "0.8",
                                    "AUG.CUTMIX",
                                    "1.0",
                                    "AUG.AUTO_AUGMENT",
                                    "rand-m9-mstd0.5-inc1",
                                    "AUG.COLOR_JITTER",
                                    "0.4",
                                    "AUG.REPROB",
                                    "0.5",
                                    "AUG.RECOUNT",
                                    "2",
                                    "AUG.REPEATED",
                                    "3",
                                    "AUG.MIXUP_MODE",
                                    mode,
                                    "DATA.INTERPOLATION",
                                    "random",
                                    "TRAIN.LOSS",
                                    large ? "bce" : "ce"};
    if (large) recipe.insert(recipe.end(), {"DATA.IMG_SIZE", "36"});  // random resized crops
    const std::string whole = std::string("whole ") + tag, broken = std::string("broken ") + tag;
    const auto unbroken = run(command(whole, recipe));
    ASSERT_EQ(unbroken.code, 0) << unbroken.err;
    EXPECT_EQ(unbroken.err.find("not built"), std::string::npos) << unbroken.err;
    {
      auto killed_recipe = recipe;
      killed_recipe.insert(killed_recipe.end(), {"DATA.NUM_WORKERS", "0"});
      Process stopped(command(broken, killed_recipe));
      ASSERT_TRUE(stopped.wait_for("train [1/2][10/50]")) << stopped.err();
      stopped.send(SIGINT);  // in the middle of an epoch
      EXPECT_EQ(stopped.wait().code, 0);
    }
    {
      Process killed(command(broken, recipe));
      ASSERT_TRUE(killed.wait_for("train [2/2][10/50]")) << killed.err();
      killed.send(SIGKILL);
      EXPECT_EQ(killed.wait().code, 128 + SIGKILL);
    }
    const auto resumed = run(command(broken, recipe));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    expect_equal_runs(whole, broken);
    EXPECT_GT(metrics(whole).size(), 1u);
  }
}

TEST_F(WfTrain, CtrlCSavesInsideTheEpochAndTheSameCommandGoesOn) {
  ASSERT_EQ(run(command("unbroken")).code, 0);
  Process stopped(command("stopped"));
  ASSERT_TRUE(stopped.wait_for("train [1/2][4/50]")) << stopped.err();
  stopped.send(SIGINT);
  const auto end = stopped.wait();
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("ckpt_step_"), std::string::npos) << end.err;
  const auto resumed = run(command("stopped"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("0 epochs and"), std::string::npos) << resumed.err;
  expect_equal_runs("unbroken", "stopped");
}

TEST_F(WfTrain, EvalOfTheBestCheckpointGivesTheAccuracyThatWasLogged) {
  ASSERT_EQ(run(command("run")).code, 0);
  const auto end = run(command(
      "eval", {"--eval", "--resume", run_file("run", "max_acc.safetensors"), "--batch-size", "7"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto answer = nlohmann::json::parse(end.out);
  double best = 0;
  for (const auto& line : metrics("run")) best = std::max(best, line["val_acc1"].get<double>());
  EXPECT_DOUBLE_EQ(answer["val_acc1"], best);
  EXPECT_EQ(answer["images"], 30);

  // With a class missing from the folder, the numbering is still the checkpoint's.
  std::filesystem::remove_all(folder_ / "data/val/level");
  const auto half =
      run(command("eval", {"--eval", "--resume", run_file("run", "max_acc.safetensors")}));
  ASSERT_EQ(half.code, 0) << half.err;
  EXPECT_EQ(nlohmann::json::parse(half.out)["images"], 15);
}

TEST_F(WfTrain, ThroughputPrintsImagesPerSecond) {
  const auto end = run(command("speed", {"--throughput"}));
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_GT(nlohmann::json::parse(end.out)["images_per_s"].get<double>(), 0);
}

TEST_F(WfTrain, UnreadablePicturesAreNamedCountedAndDoNotEndTheRun) {
  write_file(folder_ / "data/train/level/broken.jpg", "not a picture");
  write_file(folder_ / "data/val/level/broken.jpg", "");
  const auto end = run(command("run"));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto first = end.err.find("train/level/broken.jpg");
  ASSERT_NE(first, std::string::npos) << end.err;
  EXPECT_EQ(end.err.find("train/level/broken.jpg", first + 1), std::string::npos) << end.err;
  const auto lines = metrics("run");
  EXPECT_EQ(lines.back()["train_unreadable"], 1);
  EXPECT_EQ(lines.back()["val_unreadable"], 1);
}

TEST_F(WfTrain, APackedFileAndAZipTrainToTheSameWeightsAsTheFolder) {
  ASSERT_EQ(run(command("folder")).code, 0);
  for (const std::string split : {"train", "val"}) {
    const ImageFolder pictures(folder_ / ("data/" + split));
    std::vector<ZipItem> items;
    std::string map;
    for (int64_t i = 0; i < pictures.size(); ++i) {
      const auto name = pictures.name(i).substr((folder_ / ("data/" + split)).size() + 1);
      items.push_back({name, std::string(pictures.read(i).bytes), i % 3 == 0});
      map += name + "\t" + std::to_string(pictures.label(i)) + "\n";
    }
    write_file(folder_ / ("zip/" + split + ".zip"), zip_bytes(items));
    write_file(folder_ / ("zip/" + split + "_map.txt"), map);
    std::filesystem::create_directories(folder_ / "packed");
    ASSERT_EQ(run({program("wf_pack"), "--input", folder_ / ("data/" + split), "--output",
                   folder_ / ("packed/" + split + ".wfpack")})
                  .code,
              0);
  }
  std::filesystem::remove_all(folder_ / "data");
  const auto packed = run(command("packed", {"--data-path", folder_ / "packed"}));
  ASSERT_EQ(packed.code, 0) << packed.err;
  expect_equal_runs("folder", "packed");
  const auto zip = run(command("zip", {"--data-path", folder_ / "zip", "--zip"}));
  ASSERT_EQ(zip.code, 0) << zip.err;
  expect_equal_runs("folder", "zip");
}

TEST_F(WfTrain, BadInputIsOneLineAndExitCodeTwo) {
  const auto last_line = [](const std::string& text) {
    const auto end = text.find_last_not_of('\n');
    const auto begin = text.rfind('\n', end);
    return text.substr(begin == std::string::npos ? 0 : begin + 1);
  };
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--opts", "MODEL.NUM_CLASSES", "5"}, "set it with --opts MODEL.NUM_CLASSES 2"},
      {{"--opts", "MODEL.NAME", "wfm_nanno"}, "did you mean 'wfm_nano'"},
      {{"--opts", "TRAIN.CLIP_GRADS", "5"}, "TRAIN.CLIP_GRAD"},
      {{"--opts", "DATA.BATCH_SIZE", "500"}, "lower DATA.BATCH_SIZE"},
      {{"--opts", "AUG.AUTO_AUGMENT", "rand-m9-what1"},
       "AUG.AUTO_AUGMENT 'rand-m9-what1': unknown part 'what1'; known are none; rand"},
      {{"--opts", "DATA.NUM_WORKERS", "-1"}, "DATA.NUM_WORKERS: must be from 0 to 1024"},
      {{"--data-path", folder_ / "nowhere"}, "nowhere"},
      {{"--eval"}, "--resume"},
      {{"--eval", "--resume", folder_ / "run.yaml"}, "not a safetensors file"},
      {{"--resume", folder_ / "gone.safetensors"}, "cannot open"},
  };
  int number = 0;
  for (const auto& [more, expected] : cases) {
    const auto end = run(command(str("bad", number++), more));
    EXPECT_EQ(end.code, 2) << expected << "\n" << end.err;
    const auto line = last_line(end.err);
    EXPECT_EQ(line.rfind("error: ", 0), 0u) << end.err;
    EXPECT_NE(line.find(expected), std::string::npos) << end.err;
  }
}

TEST_F(WfTrain, ALossThatIsNotFiniteEndsWithTheStepAndExitCodeThree) {
  const auto end = run(command("run", {"--opts", "TRAIN.BASE_LR", "1e30", "TRAIN.WARMUP_LR", "1e30",
                                       "TRAIN.CLIP_GRAD", "0"}));
  EXPECT_EQ(end.code, 3) << end.err;
  EXPECT_NE(end.err.find("training diverged at step"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("first bad parameter: "), std::string::npos) << end.err;
  EXPECT_NE(read_file(run_file("run", "log.txt")).find("training diverged"), std::string::npos)
      << "the run's own log must say how it ended";
}

}  // namespace
}  // namespace wf::testing
