// The program on a small dataset: trained, killed, resumed, evaluated.

#include "weightformer/core/random.h"
#include "weightformer/models/model.h"
#include "weightformer/serialization/safetensors.h"
#include "weightformer/serialization/weights.h"

#include "data/sources/image_folder.h"
#include "support/all_tensors.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"
#include "support/zip_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
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
  TensorMap final_tensors(const std::string& tag, int epochs) const {
    return all_tensors(run_file(tag, str("ckpt_epoch_", epochs, ".pth")));
  }
  // Everything except speed and memory, which differ between runs.
  std::vector<nlohmann::json> metrics(const std::string& tag) const {
    std::istringstream lines(read_file(run_file(tag, "metrics.jsonl")));
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(lines, line);) {
      out.push_back(nlohmann::json::parse(line));
      out.back().erase("images_per_s");
      out.back().erase("data_wait");
      out.back().erase("memory_mib");
    }
    return out;
  }
  void expect_equal_runs(const std::string& a, const std::string& b, int epochs = 2) const {
    const auto ours = final_tensors(a, epochs), theirs = final_tensors(b, epochs);
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [name, tensor] : ours) {
      EXPECT_TRUE(torch::equal(tensor, theirs.at(name))) << name;
    }
    EXPECT_EQ(metrics(a), metrics(b));
  }

  TempDir folder_;
};

TEST_F(WfTrain, KilledAndResumedEndsWithTheSameWeights) {
  const auto unbroken = run(command("unbroken"));
  ASSERT_EQ(unbroken.code, 0) << unbroken.err;
  {
    Process killed(command("broken"));
    ASSERT_TRUE(killed.wait_for("ckpt_epoch_1.pth in ")) << killed.err();  // saved by a thread
    ASSERT_TRUE(killed.wait_for("train [2/2][10/50]")) << killed.err();
    killed.send(SIGKILL);
    EXPECT_EQ(killed.wait().code, 128 + SIGKILL);
  }
  const auto resumed = run(command("broken"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  // Of its training or, written a moment later, of its validation too.
  EXPECT_NE(resumed.err.find("/ckpt_epoch_1.pth: "), std::string::npos) << resumed.err;
  expect_equal_runs("unbroken", "broken");
}

TEST_F(WfTrain, ResumesExactlyWithTheFullRecipe) {
  for (const auto& [tag, mode, large] :
       {std::tuple{"batch", "batch", false}, {"elem", "elem", true}}) {
    // The augmentation of the original, which the configuration of the tests disables, and
    // everything new.
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
    const std::string full = std::string("full ") + tag, broken = std::string("broken ") + tag;
    const auto unbroken = run(command(full, recipe));
    ASSERT_EQ(unbroken.code, 0) << unbroken.err;
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
    expect_equal_runs(full, broken);
    EXPECT_GT(metrics(full).size(), 1u);
  }
}

bool is_saving(const std::string& folder) {
  std::error_code gone;  // files appear and disappear
  for (const auto& entry : std::filesystem::directory_iterator(folder, gone)) {
    if (entry.path().string().find(".pth.tmp") != std::string::npos) return true;
  }
  return false;
}

// WF_KILLS=25 for the long form. Every other kill waits for a half-written file.
TEST_F(WfTrain, KilledAtRandomMomentsEndsWithTheSameWeights) {
  const char* asked = std::getenv("WF_KILLS");
  const int kills = asked ? std::atoi(asked) : 4, epochs = 2 + kills / 3;
  const std::vector<std::string> more{"--opts", "SAVE_STEPS", "4", "TRAIN.EPOCHS", str(epochs)};
  ASSERT_EQ(run(command("unbroken", more)).code, 0);
  int inside_a_save = 0, kill = 0;
  for (; kill < kills; ++kill) {
    CounterRng rng{static_cast<uint64_t>(kill)};
    Process killed(command("broken", more));
    if (!killed.wait_for("train [")) break;  // it had finished
    if (kill % 2 == 0) {
      while (killed.running() && !is_saving(run_file("broken", ""))) ::usleep(50);
    } else {
      ::usleep(static_cast<useconds_t>(rng.below(60'000)));
    }
    killed.send(SIGKILL);
    killed.wait();
    inside_a_save += is_saving(run_file("broken", ""));
  }
  EXPECT_EQ(kill, kills) << "the run ended before all kills were done: give it more epochs";
  EXPECT_GT(inside_a_save, 0);
  RecordProperty("inside_a_save", inside_a_save);
  const auto end = run(command("broken", more));
  ASSERT_EQ(end.code, 0) << end.err;
  expect_equal_runs("unbroken", "broken", epochs);
}

TEST_F(WfTrain, CtrlCSavesInsideTheEpochAndTheSameCommandResumes) {
  ASSERT_EQ(run(command("unbroken")).code, 0);
  Process stopped(command("stopped"));
  ASSERT_TRUE(stopped.wait_for("train [1/2][4/50]")) << stopped.err();
  stopped.send(SIGINT);
  const auto end = stopped.wait();
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("stopping after this step to save"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("ckpt_step_"), std::string::npos) << end.err;
  const auto resumed = run(command("stopped"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("0 epochs and"), std::string::npos) << resumed.err;
  expect_equal_runs("unbroken", "stopped");
}

TEST_F(WfTrain, KilledDuringValidationDoesNotTrainTheEpochAgain) {
  write_toy_folder(folder_ / "large", /*train=*/100, /*val=*/6000, /*side=*/16);
  const std::vector<std::string> more{"--data-path", folder_ / "large"};
  ASSERT_EQ(run(command("unbroken", more)).code, 0);
  {
    Process killed(command("broken", more));
    ASSERT_TRUE(killed.wait_for("ckpt_epoch_1.pth in")) << killed.err();
    killed.send(SIGKILL);
    killed.wait();
  }
  const auto resumed = run(command("broken", more));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("ckpt_epoch_1.pth: 0 epochs and 12 batches done"), std::string::npos)
      << resumed.err;
  expect_equal_runs("unbroken", "broken");
}

TEST_F(WfTrain, LogsChangedSettingsAndThatAFinishedRunTrainsNothing) {
  ASSERT_EQ(run(command("run")).code, 0);
  const std::vector<std::string> more{"--opts", "TRAIN.EPOCHS",     "3", "TRAIN.BASE_LR",
                                      "0.001",  "DATA.NUM_WORKERS", "1"};
  const auto changed = run(command("run", more));
  ASSERT_EQ(changed.code, 0) << changed.err;
  EXPECT_NE(
      changed.err.find("ckpt_epoch_2.pth was made with other settings, continuing with the new "
                       "ones: TRAIN.EPOCHS 2 → 3, TRAIN.BASE_LR 5e-04 → 0.001\n"),
      std::string::npos)
      << changed.err;
  const auto settings = read_file(run_file("run", "config.yaml"));
  const auto finished = run(command("run"));
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_NE(finished.err.find("nothing to train: the run ended at epoch 3, step 150"),
            std::string::npos)
      << finished.err;
  EXPECT_EQ(read_file(run_file("run", "config.yaml")), settings);
  const auto same = run(command("run", more));
  EXPECT_EQ(same.err.find("other settings"), std::string::npos) << same.err;
}

TEST_F(WfTrain, ARunFromAnotherDirectoryStartsWithoutABestValue) {
  ASSERT_EQ(run(command("first", {"--opts", "TRAIN.EMA_DECAY", "0.5"})).code, 0);
  const auto file = run_file("first", "ckpt_epoch_1.pth");
  const auto second =
      run(command("second", {"--resume", file, "--opts", "TRAIN.EMA_DECAY", "0.5"}));
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_NE(second.err.find("starts without a best value"), std::string::npos) << second.err;
  EXPECT_TRUE(std::filesystem::exists(run_file("second", "max_acc.pth")));
  EXPECT_EQ(second.err.find("other settings"), std::string::npos) << second.err;
  const auto weights = run(command("third", {"--eval", "--resume", file}));
  EXPECT_EQ(weights.code, 0);
  EXPECT_NE(weights.err.find("holds EMA weights too; loading the trained ones"), std::string::npos)
      << weights.err;
}

TEST_F(WfTrain, EvalOfTheBestCheckpointGivesTheAccuracyThatWasLogged) {
  ASSERT_EQ(run(command("run")).code, 0);
  const auto end = run(
      command("eval", {"--eval", "--resume", run_file("run", "max_acc.pth"), "--batch-size", "7"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto answer = nlohmann::json::parse(end.out);
  double best = 0;
  for (const auto& line : metrics("run")) {
    if (line.contains("val_acc1")) best = std::max(best, line["val_acc1"].get<double>());
  }
  EXPECT_DOUBLE_EQ(answer["val_acc1"], best);
  EXPECT_EQ(answer["images"], 30);

  // With a class missing in the directory, the numbering of the checkpoint is kept.
  std::filesystem::remove_all(folder_ / "data/val/level");
  const auto half = run(command("eval", {"--eval", "--resume", run_file("run", "max_acc.pth")}));
  ASSERT_EQ(half.code, 0) << half.err;
  EXPECT_EQ(nlohmann::json::parse(half.out)["images"], 15);
}

TEST_F(WfTrain, PublishedWeightsOfAnotherClassCountNeedPretrained) {
  const auto published = golden_path("checkpoints/published_trainer.pth");
  const auto with = [&](const std::string& flag) {
    return run(command("other" + flag, {flag, published, "--opts", "MODEL.PATCH_SIZE", "8",
                                        "TRAIN.EPOCHS", "1", "TRAIN.WARMUP_EPOCHS", "0"}));
  };
  const auto refused = with("--resume");
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_NE(
      refused.err.find(
          "[10] in the file and [2] in the model: the weights are of 10 classes; set that number"),
      std::string::npos)
      << refused.err;
  const auto taken = with("--pretrained");
  EXPECT_EQ(taken.code, 0) << taken.err;
  EXPECT_NE(taken.err.find("another number of classes, newly initialized: head.bias, head.weight"),
            std::string::npos)
      << taken.err;
}

TEST_F(WfTrain, DoesNotResumeWithOtherClassNames) {
  ASSERT_EQ(run(command("run", {"--opts", "TRAIN.EPOCHS", "1", "TRAIN.WARMUP_EPOCHS", "0"})).code,
            0);
  const std::filesystem::path data = folder_ / "data";
  std::string first;
  for (const auto& entry : std::filesystem::directory_iterator(data / "train")) {
    const auto name = entry.path().filename().string();
    if (first.empty() || name < first) first = name;
  }
  for (const auto* split : {"train", "val"}) {
    std::filesystem::rename(data / split / first, data / split / "zzz");
  }
  const auto end = run(command("run"));
  EXPECT_EQ(end.code, 2) << end.err;
  EXPECT_NE(end.err.find("ckpt_epoch_1.pth: class 0 was '" + first + "'"), std::string::npos)
      << end.err;
}

TEST_F(WfTrain, AFullLogDoesNotChangeTheExitCode) {
  std::filesystem::create_directories(folder_ / "out/wfm_nano/full");
  std::filesystem::create_symlink("/dev/full", run_file("full", "log.txt"));
  const auto refused = run(command("full", {"--opts", "MODEL.NUM_CLASSES", "3"}));
  EXPECT_EQ(refused.code, 2) << refused.err;
  const auto end =
      run(command("full", {"--opts", "TRAIN.EPOCHS", "1", "TRAIN.WARMUP_EPOCHS", "0"}));
  EXPECT_EQ(end.code, 0) << end.err;
}

// The usual fine-tuning of wfm_tiny at 384 px, with small learning rates of the first layers.
TEST_F(WfTrain, FinetunesTheTinyModelAt384WithLayerDecay) {
  torch::manual_seed(0);
  const auto pretrained = state_dict(*create_classifier("wfm_tiny"));
  write_safetensors(folder_ / "tiny.safetensors", {pretrained});
  write_toy_folder(folder_ / "few", /*train=*/8, /*val=*/4, /*side=*/96);
  const auto end = run(command("fine", {"--data-path",
                                        folder_ / "few",
                                        "--pretrained",
                                        folder_ / "tiny.safetensors",
                                        "--opts",
                                        "MODEL.NAME",
                                        "wfm_tiny",
                                        "MODEL.PATCH_SIZE",
                                        "16",
                                        "DATA.IMG_SIZE",
                                        "384",
                                        "DATA.BATCH_SIZE",
                                        "4",
                                        "TRAIN.LAYER_DECAY",
                                        "0.75",
                                        "TRAIN.EPOCHS",
                                        "1",
                                        "TRAIN.WARMUP_EPOCHS",
                                        "0",
                                        "TRAIN.BASE_LR",
                                        "0.05"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto tuned = read_weights(folder_ / "out/wfm_tiny/fine/ckpt_epoch_1.pth").tensors;
  const auto moved = [&](const std::string& name) {
    return (tuned.at(name) - pretrained.at(name)).abs().mean().item<double>();
  };
  // AdamW moves every number by about the learning rate, whatever the gradient.
  const double ratio = moved("blocks.10.norm2.weight") / moved("blocks.16.norm2.weight");
  EXPECT_NEAR(ratio, std::pow(0.75, 6), 0.05);
}

TEST_F(WfTrain, SkipsADamagedCheckpointAndResumesThePreviousOne) {
  ASSERT_EQ(run(command("run")).code, 0);
  const auto newest = run_file("run", "ckpt_epoch_2.pth");
  auto bytes = read_file(newest);
  bytes[bytes.size() / 2] ^= 1;
  write_file(newest, bytes);
  const auto none = run_file("run", "ckpt_epoch_9.pth");
  write_file(none, "not a checkpoint");
  const auto end = run(command("run"));
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("skipping a checkpoint: " + newest + ": corrupted: checksum mismatch"),
            std::string::npos)
      << end.err;
  const auto skipped = end.err.find("skipping a checkpoint: " + none);
  EXPECT_NE(skipped, std::string::npos) << end.err;
  EXPECT_EQ(skipped, end.err.rfind("skipping a checkpoint: " + none))
      << "logged twice: " << end.err;
  EXPECT_NE(end.err.find("ckpt_epoch_1.pth: 1 epochs"), std::string::npos) << end.err;
}

TEST_F(WfTrain, ThroughputPrintsImagesPerSecond) {
  const auto end = run(command("speed", {"--throughput", "--data-path", "/none"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto json = nlohmann::json::parse(end.out);
  EXPECT_GT(json["images_per_s"].get<double>(), 0);
  EXPECT_GT(json["parameters"].get<int64_t>(), 0);
  EXPECT_GT(json["macs_per_sample"].get<int64_t>(), 0);
}

TEST_F(WfTrain, UnreadableImagesAreLoggedAndCounted) {
  write_file(folder_ / "data/train/level/broken.jpg", "not an image");
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

TEST_F(WfTrain, APackedFileAndAZipGiveTheSameWeightsAsTheDirectory) {
  ASSERT_EQ(run(command("directory")).code, 0);
  for (const std::string split : {"train", "val"}) {
    const ImageFolder images(folder_ / ("data/" + split));
    std::vector<ZipItem> items;
    std::string map;
    for (int64_t i = 0; i < images.size(); ++i) {
      const auto name = images.name(i).substr((folder_ / ("data/" + split)).size() + 1);
      items.push_back({name, std::string(images.read(i).bytes), i % 3 == 0});
      map += name + "\t" + std::to_string(images.label(i)) + "\n";
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
  expect_equal_runs("directory", "packed");
  const auto zip = run(command("zip", {"--data-path", folder_ / "zip", "--zip"}));
  ASSERT_EQ(zip.code, 0) << zip.err;
  expect_equal_runs("directory", "zip");
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
      {{"--opts", "AUG.AUTO_AUGMENT", "rand-m9x"},
       "part 'm9x': expected m and a number of at least 0, got '9x'"},
      {{"--opts", "DATA.NUM_WORKERS", "-1"}, "DATA.NUM_WORKERS: must be from 0 to 1024"},
      {{"--data-path", folder_ / "nowhere"}, "nowhere"},
      {{"--tag", "../../elsewhere"}, "TAG (--tag) is '../../elsewhere': expected a name"},
      {{"--tag", ""}, "TAG (--tag) is ''"},
      {{"--eval"}, "--resume"},
      {{"--eval", "--resume", folder_ / "run.yaml"},
       "neither a file of torch.save nor safetensors"},
      {{"--resume", folder_ / "gone.pth"}, "cannot read"},
  };
  int number = 0;
  for (const auto& [more, expected] : cases) {
    const std::string tag = str("bad", number++);
    const auto end = run(command(tag, more));
    if (more.size() > 1 && more[1] == "AUG.AUTO_AUGMENT") {
      EXPECT_FALSE(std::filesystem::exists(run_file(tag, "log.txt"))) << "no run directory is left";
    }
    EXPECT_EQ(end.code, 2) << expected << "\n" << end.err;
    const auto line = last_line(end.err);
    EXPECT_EQ(line.rfind("error: ", 0), 0u) << end.err;
    EXPECT_NE(line.find(expected), std::string::npos) << end.err;
  }
}

TEST_F(WfTrain, WarnsThatTestEmaHasNoEffectInTraining) {
  const auto end = run(command("run", {"--opts", "TEST.EMA", "true"}));
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("TEST.EMA true has no effect without --eval"), std::string::npos)
      << end.err;
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
