// EMAs of any width after a run.

#include "weightformer/serialization/safetensors.h"

#include "support/dit_run.h"
#include "support/errors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class WfEma : public DitRun {
 protected:
  static std::vector<std::string> settings(const std::string& widths) {
    return {"TRAIN.STEPS",
            "201",
            "TRAIN.EMA_DECAY",
            "0",
            "TRAIN.EMA_STD",
            widths,
            "SAVE_STEPS",
            "7",
            "TRAIN.BASE_LR",
            "0.01",
            "TRAIN.EMA_SNAPSHOT_STEPS",
            "20"};
  }
  std::string run_directory(const std::string& tag) const {
    return directory_ / ("out/dit_nano/" + tag);
  }
  Finished ema(const std::string& tag, const std::vector<std::string>& more) const {
    std::vector<std::string> words{program("wf_ema"), run_directory(tag)};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  std::string snapshot(const std::string& tag, int64_t step, const std::string& std) const {
    char name[64];
    std::snprintf(name, sizeof(name), "ema/step_%08lld_std_%s.safetensors",
                  static_cast<long long>(step), std.c_str());
    return file(tag, name);
  }
  static double difference(const TensorMap& ours, const TensorMap& theirs,
                           const std::string& prefix) {
    double worst = 0;
    for (const auto& [name, tensor] : ours) {
      const auto& other = theirs.at(prefix + name);
      worst = std::max(worst, (tensor - other).abs().max().item<double>() /
                                  (other.abs().max().item<double>() + 1e-12));
    }
    return worst;
  }
};

TEST_F(WfEma, AgreesWithNumPyAndWithTheEmaThatWasTracked) {
  const auto trained = run(command("run", settings("0.05,0.1,0.075")));
  ASSERT_EQ(trained.code, 0) << trained.err;
  // Only the two widths of the paper remain, the third is reconstructed.
  for (int64_t step = 20; step <= 200; step += 20) fs::remove(snapshot("run", step, "0.075"));
  fs::remove(snapshot("run", 201, "0.075"));  // the last of the run
  const auto made = ema("run", {"--std", "0.075", "0.15", "0.05"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_TRUE(has(made.out, "of 22 snapshots to step 201")) << made.out;
  const auto tracked = all_tensors(file("run", "ckpt_step_201.pth"));
  const auto of = [&](const char* std) {
    return read_safetensors(file("run", std::string("ema_") + std + ".safetensors")).tensors;
  };
  EXPECT_LT(difference(of("0.05"), tracked, "model_ema."), 1e-4);
  const double neighbor = difference(of("0.05"), tracked, "model_ema_3.");
  EXPECT_GT(neighbor, 1e-2);
  EXPECT_LT(difference(of("0.075"), tracked, "model_ema_3."), 0.05 * neighbor);
  if (run({WF_PYTHON, "-c", "import numpy, safetensors.numpy"}).code != 0) return;
  for (const auto* std : {"0.075", "0.15"}) {
    const auto checked =
        run({WF_PYTHON, WF_SOURCE_DIR "/tests/tools/posthoc_ema.py", run_directory("run"), std,
             file("run", std::string("ema_") + std + ".safetensors")});
    ASSERT_EQ(checked.code, 0) << checked.err;
    EXPECT_LT(std::stod(checked.out), 5e-3) << std;
  }
}

TEST_F(WfEma, KilledAnywhereARunHasTheSnapshotsOfTheUnbrokenOne) {
  const auto opts = settings("0.05,0.1");
  ASSERT_EQ(run(command("unbroken", opts)).code, 0);
  for (const auto* when :
       {"ckpt_step_14.pth in ", "ckpt_step_63.pth in ", "ckpt_step_133.pth in "}) {
    Process killed(command("broken", opts));
    ASSERT_TRUE(killed.wait_for(when)) << killed.err();
    killed.send(SIGKILL);
    ASSERT_EQ(killed.wait().code, 128 + SIGKILL);
    // As if it had been killed later: the run that resumes makes them again.
    write_file(snapshot("broken", 180, "0.1"), "cut");
    write_file(snapshot("broken", 160, "0.1") + ".tmp1", "cut");
  }
  ASSERT_EQ(run(command("broken", opts)).code, 0);
  int64_t files = 0;
  for (const auto& entry : fs::directory_iterator(file("unbroken", "ema"))) {
    const auto name = entry.path().filename().string();
    const auto ours = read_safetensors(entry.path().string()).tensors,
               theirs = read_safetensors(file("broken", "ema/" + name)).tensors;
    for (const auto& [key, tensor] : ours) EXPECT_TRUE(torch::equal(tensor, theirs.at(key))) << key;
    ++files;
  }
  EXPECT_EQ(files, 22);
  EXPECT_EQ(std::distance(fs::directory_iterator(file("broken", "ema")), {}), 22);
}

TEST_F(WfEma, GoingBackKeepsTheLaterSnapshotsApart) {
  auto opts = settings("0.05,0.1");
  opts.insert(opts.end(), {"SAVE_KEEP", "100"});
  ASSERT_EQ(run(command("run", opts)).code, 0);
  opts.insert(opts.end(), {"TRAIN.AUTO_RESUME", "false"});
  auto back = command("run", opts);
  back.insert(back.begin() + 1, {"--resume", file("run", "ckpt_step_98.pth")});
  const auto again = run(back);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(has(again.err, "the later EMA snapshots are now in")) << again.err;
  const auto files = [&](const char* name) {
    return std::count_if(fs::directory_iterator(file("run", name)), {},
                         [](const auto& entry) { return entry.is_regular_file(); });
  };
  EXPECT_EQ(files("ema/old_1"), 14);  // of steps 100 to 201
  EXPECT_EQ(files("ema"), 22);
}

TEST_F(WfEma, WritesAModelThatIsSampled) {
  ASSERT_EQ(run(command("run", settings("0.05,0.1"))).code, 0);
  ASSERT_EQ(ema("run", {"--std", "0.2", "--step", "100", "--output", directory_.path()}).code, 0);
  const auto drawn = run({program("wf_sample"), "--resume", directory_ / "ema_0.2.safetensors",
                          "--output", directory_ / "samples", "--per-class", "1"});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_TRUE(fs::exists(directory_ / "samples/grid.png"));
  const auto last = run({program("wf_sample"), "--resume", snapshot("run", 201, "0.1"), "--output",
                         directory_ / "last", "--per-class", "1"});
  EXPECT_EQ(last.code, 0) << last.err;
}

TEST_F(WfEma, RefusesWhatIsMissingOrBad) {
  ASSERT_EQ(run(command("run", settings("0.05,0.1"))).code, 0);
  const auto says = [&](const std::vector<std::string>& words, const std::string& message) {
    const auto result = ema("run", words);
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(has(result.err, message)) << result.err;
  };
  says({"--std", "0.3"}, "must be in (0, 0.28], got 0.3");
  says({"--std", "0.1", "--step", "30"}, "has no snapshot of step 30; the first is of step 20");
  fs::rename(snapshot("run", 100, "0.1"), directory_ / "kept");
  says({"--std", "0.07"},
       "step 100 has the widths 0.05, and step 20 has 0.05, 0.1: a file is missing");
  fs::remove(snapshot("run", 100, "0.05"));
  says({"--std", "0.07"}, "the snapshot of step 100 is missing, which step 120 follows");
  EXPECT_EQ(ema("run", {"--std", "0.07", "--allow-missing"}).code, 0);
  auto content = read_safetensors(snapshot("run", 120, "0.1"));
  content.tensors.begin()->second.flatten()[0] = NAN;
  write_safetensors(snapshot("run", 120, "0.1"), content);
  says({"--std", "0.07", "--allow-missing"},
       content.tensors.begin()->first + " is not finite: the training had diverged");
  const auto bytes = read_file(snapshot("run", 140, "0.1"));
  write_file(snapshot("run", 140, "0.1"), bytes.substr(0, bytes.size() / 2));
  says({"--std", "0.07", "--allow-missing"}, "step_00000140_std_0.1.safetensors");
  fs::remove_all(file("run", "ema"));
  says({"--std", "0.07"}, "holds no snapshots of EMAs: train with TRAIN.EMA_STD 0.05,0.1");
  const auto none = run(command("none", {"TRAIN.EMA_SNAPSHOT_STEPS", "5", "TRAIN.EMA_STD", "0"}));
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(has(none.err, "there is no average to save: set TRAIN.EMA_STD")) << none.err;
}

}  // namespace
}  // namespace wf::testing
