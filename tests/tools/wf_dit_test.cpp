// wf_train on a denoiser, and wf_sample on the result.

#include "weightformer/serialization/weights.h"

#include "core/npy.h"
#include "support/dit_run.h"
#include "support/ranks.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <cmath>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class WfDit : public DitRun {};

TEST_F(WfDit, KilledAndResumedEndsWithTheSameNumbers) {
  const std::vector<std::string> longer{"TRAIN.STEPS", "203", "SAVE_STEPS", "3"};
  const std::string last = "ckpt_step_203.pth";
  const auto unbroken = run(command("unbroken", longer));
  ASSERT_EQ(unbroken.code, 0) << unbroken.err;
  const auto history = all_tensors(file("unbroken", last)).at("task.timestep_history");
  EXPECT_EQ(history.sizes(), (std::vector<int64_t>{40, 11}));
  EXPECT_EQ(history.select(1, 10).min().item<double>(), 10);  // the times are drawn by it
  for (const auto* when : {"ckpt_step_3.pth in ", "ckpt_step_72.pth in "}) {
    Process killed(command("broken", longer));
    ASSERT_TRUE(killed.wait_for(when)) << killed.err();
    killed.send(SIGKILL);
    ASSERT_EQ(killed.wait().code, 128 + SIGKILL);
  }
  const auto resumed = run(command("broken", longer));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resumed "), std::string::npos) << resumed.err;
  expect_equal_runs("unbroken", "broken", last);
}

TEST_F(WfDit, GridsOfSamplesChangeNothingInTheRun) {
  ASSERT_EQ(run(command("without")).code, 0);
  const auto with = run(command("with", {"SAMPLE.EVERY", "4"}));
  ASSERT_EQ(with.code, 0) << with.err;
  for (const auto* step : {"4", "8", "12"}) {
    EXPECT_TRUE(fs::exists(file("with", std::string("samples/step_") + step + ".png"))) << step;
  }
  expect_equal_runs("without", "with");
}

TEST_F(WfDit, TwoRanksSeeTheLossesOfOne) {
  // With uniform times: rounding moves the weights, and with them loss-aware times.
  ASSERT_EQ(run(command("one", {"DIFFUSION.TIMESTEPS", "uniform"})).code, 0);
  const auto ended =
      Ranks(2, command("two", {"DIFFUSION.TIMESTEPS", "uniform", "DATA.BATCH_SIZE", "4"})).wait();
  for (const auto& rank : ended) ASSERT_EQ(rank.code, 0) << told(ended);
  const auto one = steps("one"), two = steps("two");
  ASSERT_EQ(one.size(), 12u);
  ASSERT_EQ(two.size(), 12u);
  for (size_t i = 0; i < one.size(); ++i) {
    const double loss = one[i]["loss"];
    EXPECT_NEAR(two[i]["loss"], loss, 1e-5 * loss) << i;
  }
}

TEST_F(WfDit, TwoRanksLearnLossAwareTimesTogether) {
  const auto ended = Ranks(2, command("two", {"DATA.BATCH_SIZE", "4"})).wait();
  for (const auto& rank : ended) ASSERT_EQ(rank.code, 0) << told(ended);
  const auto history = all_tensors(file("two", "ckpt_step_12.pth")).at("task.timestep_history");
  // 12 steps of 8 samples over both ranks, at most ten kept for a time.
  EXPECT_GT(history.select(1, 10).sum().item<double>(), 90);
}

TEST_F(WfDit, OtherSettingsOfTheProcessAreNotResumed) {
  ASSERT_EQ(run(command("run")).code, 0);
  const auto other = run(command("run", {"TRAIN.STEPS", "14", "DIFFUSION.PREDICTION", "v"}));
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("trained with the process gaussian, 40, linear, epsilon, learn_sigma"),
            std::string::npos)
      << other.err;
  const auto law = run(command("run", {"TRAIN.STEPS", "14", "DIFFUSION.TIMESTEPS", "uniform"}));
  EXPECT_EQ(law.code, 0) << law.err;
}

TEST_F(WfDit, IsEvaluatedByItsLossOnFixedDraws) {
  ASSERT_EQ(run(command("run")).code, 0);
  auto evaluate = command("eval");
  evaluate.insert(evaluate.end(), {"--eval", "--resume", file("run", "max_acc.pth")});
  const auto first = run(evaluate), second = run(evaluate);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.out, second.out);
  const auto json = nlohmann::json::parse(first.out);
  EXPECT_EQ(json["samples"], 40);
  EXPECT_GT(json["val_loss"], 0);
}

TEST_F(WfDit, BadSettingsAreRefusedBeforeARunDirectoryIsMade) {
  const auto refused = [&](const std::vector<std::string>& opts, const std::string& message) {
    const auto result = run(command("refused", opts));
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_FALSE(fs::exists(file("refused", "")));
  };
  refused({"DATA.IMG_SIZE", "9"}, "DATA.IMG_SIZE 9 is not a multiple of the patch size, 2");
  refused({"SAMPLE.EVERY", "5", "SAMPLE.SAMPLER", "heun"}, "choose one of ddpm, ddim, dpmpp_2m");
  refused({"MODEL.NAME", "dit_nan"}, "did you mean 'dit_nano'");
  refused({"MODEL.NAME", "wfm_tiny"}, "wfm_tiny is a classifier");
}

TEST_F(WfDit, LatentsOfAnotherShapeAreNamed) {
  const auto result = run(command("other", {"DATA.IMG_SIZE", "16"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("latents of [4, 8, 8]: set DIFFUSION.CHANNELS 4 and DATA.IMG_SIZE 8"),
            std::string::npos)
      << result.err;
}

class WfSample : public WfDit {
 protected:
  void SetUp() override {
    WfDit::SetUp();
    ASSERT_EQ(run(command("run")).code, 0);
  }
  Finished sample(const std::string& output, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{program("wf_sample"), "--resume", file("run", "max_acc.pth"),
                                   "--output", directory_ / output};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  std::string grid(const std::string& output) const {
    return read_file(directory_ / (output + "/grid.png"));
  }
};

TEST_F(WfSample, DrawsAGridThatItsSettingsDecide) {
  const auto first = sample("a", {"--per-class", "3"});
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(sample("b", {"--per-class", "3"}).code, 0);
  ASSERT_EQ(sample("c", {"--per-class", "3", "--seed", "1"}).code, 0);
  ASSERT_EQ(sample("d", {"--per-class", "3", "--scale", "1"}).code, 0);
  EXPECT_EQ(grid("a"), grid("b"));
  EXPECT_NE(grid("a"), grid("c"));
  EXPECT_NE(grid("a"), grid("d"));
  EXPECT_NE(grid("a").find("SAMPLE.SCALE: 2"), std::string::npos);
}

TEST_F(WfSample, APresetSetsWhatChangesAFidAndItsRecordNamesTheChanges) {
  const std::vector<std::string> shorter{"--preset", "adm-dit",  "--steps",
                                         "3",        "--images", "6",
                                         "--no-ema", "--opts",   "SAMPLE.GUIDED_CHANNELS",
                                         "all"};
  const auto drawn = sample("preset", shorter);
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  const auto record = nlohmann::json::parse(read_file(directory_ / "preset/settings.json"));
  const auto& settings = record["settings"];
  EXPECT_EQ(settings["preset"], "adm-dit");
  EXPECT_EQ(settings["changed from the preset"],
            "SAMPLE.STEPS 250 → 3; SAMPLE.GUIDED_CHANNELS three → all; images 50000 → 6; weights "
            "EMA → trained");
  EXPECT_EQ(settings["SAMPLE.SCALE"], "1.5");  // 2 in the configuration of the run
  EXPECT_EQ(settings["SAMPLE.SAMPLER"], "ddpm");
  EXPECT_EQ(settings["labels"], "random");
  EXPECT_EQ(settings["rounding"], "truncate(127.5 x + 128)");
  EXPECT_EQ(settings["weights under"], "model");

  ASSERT_EQ(sample("other", {"--images", "6", "--balanced", "--steps", "3"}).code, 0);
  const auto explained = run({program("wf_fid"), "--explain", directory_ / "preset/settings.json",
                              directory_ / "other/settings.json"});
  ASSERT_EQ(explained.code, 0) << explained.err;
  for (const auto* line : {"SAMPLE.SCALE", "labels", "preset", "weights"}) {
    EXPECT_NE(explained.out.find(line), std::string::npos) << explained.out;
  }
  EXPECT_EQ(explained.out.find("  SAMPLE.STEPS:"), std::string::npos) << explained.out;

  const auto unknown = sample("none", {"--preset", "adm-dot"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("did you mean 'adm-dit'"), std::string::npos) << unknown.err;
}

TEST_F(WfSample, KilledAndRestartedOnOtherRanksWritesTheSameBytes) {
  const std::vector<std::string> many{"--images",     "40", "--shard", "8",
                                      "--batch-size", "3",  "--steps", "20"};
  ASSERT_EQ(sample("full", many).code, 0);
  const auto full = read_file(directory_ / "full/samples.npz");
  if (run({WF_PYTHON, "-c", "import numpy"}).code == 0) {  // not there in a light installation
    const auto python =
        run({WF_PYTHON, "-c",
             "import numpy as np\na = np.load('" + (directory_ / "full/samples.npz") +
                 "')['arr_0']\nassert a.shape == (40, 4, 8, 8), a.shape"});
    EXPECT_EQ(python.code, 0) << python.err;
  }

  std::vector<std::string> words{program("wf_sample"), "--resume", file("run", "max_acc.pth"),
                                 "--output", directory_ / "broken"};
  words.insert(words.end(), many.begin(), many.end());
  {
    Process killed(words);
    ASSERT_TRUE(killed.wait_for("shard 2/5")) << killed.err();
    killed.send(SIGKILL);
    killed.wait();
  }
  EXPECT_FALSE(fs::exists(directory_ / "broken/samples.npz"));
  write_file(directory_ / "broken/shards/000024.npy.tmp123", "half");
  const auto ended = Ranks(2, words).wait();
  for (const auto& rank : ended) ASSERT_EQ(rank.code, 0) << told(ended);
  EXPECT_EQ(read_file(directory_ / "broken/samples.npz"), full);
  EXPECT_FALSE(fs::exists(directory_ / "broken/shards/000024.npy.tmp123"));

  // One shard is damaged: named, removed, drawn again.
  fs::remove(directory_ / "broken/samples.npz");
  write_file(directory_ / "broken/shards/000016.npy", "not an array");
  const auto damaged = run(words);
  EXPECT_EQ(damaged.code, 2);
  EXPECT_NE(
      damaged.err.find("000016.npy: not a .npy file; it was removed: run the same command again"),
      std::string::npos)
      << damaged.err;
  ASSERT_EQ(run(words).code, 0);
  EXPECT_EQ(read_file(directory_ / "broken/samples.npz"), full);

  // Other settings in the same directory.
  words.insert(words.end(), {"--scale", "3"});
  const auto other = run(words);
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("'SAMPLE.SCALE: 2', now 'SAMPLE.SCALE: 3'"), std::string::npos)
      << other.err;
}

TEST_F(WfSample, RefusesWhatItCannotDoInOneLine) {
  const auto expect_error = [&](const std::vector<std::string>& more, const std::string& message) {
    const auto result = sample("refused", more);
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  expect_error({"--classes", "7"}, "--classes 7: the model has the classes 0 to 2");
  expect_error({"--sampler", "heun"}, "choose one of ddpm, ddim, dpmpp_2m");
  expect_error({"--sampler", "ddim", "--steps", "39"}, "no n gives 39 steps");
  expect_error({"--steps", "41"}, "cannot be sampled in 41");
  expect_error({"--interval", "[0.8, 0.2]"}, "the interval of guidance");
}

}  // namespace
}  // namespace wf::testing
