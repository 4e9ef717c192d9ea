// wf_train before a run: --dry-run, --batch-size auto, and commands that must leave nothing behind.

#include "support/dit_run.h"
#include "support/errors.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

std::set<std::string> files_below(const std::string& directory) {
  std::set<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) out.insert(entry.path());
  return out;
}

class WfDryRun : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(directory_ / "run.yaml", R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 1}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2}
TRAIN: {EPOCHS: 1, WARMUP_EPOCHS: 0}
DEVICE: cpu
)");
    write_toy_folder(directory_ / "data", /*train=*/600, /*val=*/6, /*side=*/16);
  }
  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"env",
                                   "XDG_CACHE_HOME=" + directory_ / "cache",
                                   program("wf_train"),
                                   "--cfg",
                                   directory_ / "run.yaml",
                                   "--data-path",
                                   directory_ / "data",
                                   "--output",
                                   directory_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Finished train(const std::vector<std::string>& more = {}) const { return run(command(more)); }
  // Runs it and expects that the directory holds what it held.
  Finished leaves_nothing(const std::vector<std::string>& more) const {
    const auto before = files_below(directory_.path());
    auto end = train(more);
    EXPECT_EQ(files_below(directory_.path()), before);
    return end;
  }
  TempDir directory_;
};

double number_after(const std::string& pattern, const std::string& text) {
  std::smatch match;
  EXPECT_TRUE(std::regex_search(text, match, std::regex(pattern + "([0-9.e+-]+)"))) << text;
  return match.empty() ? 0 : std::stod(match[1]);
}

TEST_F(WfDryRun, ReportsOneStepAndLeavesNoFile) {
  const auto end = leaves_nothing({"--dry-run"});
  ASSERT_EQ(end.code, 0) << end.err;
  for (const char* part :
       {"[8, 3, 16, 16] float", "8 x 1 x 1 = 8 samples in a step", "75 steps; 75 in the run",
        "first step     loss 0.", "MiB are still available", "learning rate"}) {
    EXPECT_TRUE(has(end.out, part)) << part << "\n" << end.out;
  }
  EXPECT_TRUE(has(end.err, "wfm_nano: ")) << end.err;
}

// The step is that of the run: the same data, weights and random numbers.
TEST_F(WfDryRun, HasTheLossOfTheFirstStepOfTheRun) {
  const auto dry = train({"--dry-run"});
  const auto real = train({"--opts", "PRINT_FREQ", "1", "TRAIN.STEPS", "1"});
  ASSERT_EQ(real.code, 0) << real.err;
  EXPECT_EQ(number_after("first step     loss ", dry.out), number_after("loss ", real.err));
  // The log has the lines that came before its directory.
  const auto log = read_file(directory_ / "out/wfm_nano/default/log.txt");
  EXPECT_LT(log.find("info wfm_nano on cpu, "), log.find("info wfm_nano: ")) << log;
  EXPECT_TRUE(has(log, "2 classes, 600 training and 6 validation images")) << log;
}

TEST_F(WfDryRun, SimulatesARankOfManyWithItsTraffic) {
  const auto end = leaves_nothing({"--dry-run", "--world", "64", "--rank", "3"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(has(end.out, "8 x 1 x 64 = 512 samples in a step")) << end.out;
  EXPECT_TRUE(has(end.out, "1 steps; 1 in the run")) << end.out;
  std::smatch match;
  ASSERT_TRUE(std::regex_search(end.err, match, std::regex("wfm_nano: ([0-9,]+) parameters")));
  const double mib =
      4 * std::stod(std::regex_replace(match[1].str(), std::regex(","), "")) / (1 << 20);
  EXPECT_NEAR(number_after("each step      all-reduce ", end.out), mib, 0.011);
  EXPECT_NEAR(number_after("processes sends ", end.out), 2 * mib * 63 / 64, 0.021);
  EXPECT_EQ(end.err.find("straggler"), std::string::npos) << end.err;
}

TEST_F(WfDryRun, MistakesAreOneLineAndLeaveNothing) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--data-path", directory_ / "nowhere"}, "nowhere: no such directory (DATA.DATA_PATH)"},
      {{"--opts", "MODEL.NUM_CLASSES", "5"}, "set it with --opts MODEL.NUM_CLASSES 2"},
      {{"--output", directory_ / "run.yaml"}, "cannot create the run directory (--output)"},
      {{"--world", "4"}, "--world 4: is for --dry-run"},
      {{"--dry-run", "--rank", "1"}, "--rank 1: is for --dry-run --world N"},
      {{"--dry-run", "--world", "4", "--rank", "4"}, "--rank 4 is not below --world 4"},
      {{"--dry-run", "--throughput"}, "--dry-run is for training"},
      {{"--batch-size", "auto", "--throughput"}, "--batch-size auto is for training"},
      {{"--batch-size", "automatic"}, "DATA.BATCH_SIZE"},
      {{"--dry-run", "--pretrained", directory_ / "gone.pth"}, "gone.pth"},
  };
  for (const auto& [more, message] : cases) {
    const auto end = train(more);
    EXPECT_FALSE(fs::exists(directory_ / "out")) << message;
    EXPECT_EQ(end.code, 2) << message << end.err;
    EXPECT_TRUE(has(end.err, "error: ")) << end.err;
    EXPECT_TRUE(has(end.err, message)) << end.err;
  }
}

// A command whose step of 256 images of 64 px does not fit in the address space that is left.
TEST_F(WfDryRun, AnAutomaticBatchFitsInMemoryAndIsKeptWhenResuming) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer reserves more address space than the limit of this test";
#endif
  const auto large = [&](const std::string& size, const std::string& epochs) {
    return command({"--batch-size", size, "--opts", "DATA.IMG_SIZE", "64", "DATA.NUM_WORKERS", "0",
                    "TRAIN.ACCUMULATION_STEPS", size == "auto" ? "32" : "1", "TRAIN.EPOCHS", epochs,
                    "PRINT_FREQ", "1"});
  };
  int64_t idle = 0;  // KiB of address space of a small run
  {
    Process small(large("8", "50"));
    ASSERT_TRUE(small.wait_for("train [1/50][5/")) << small.err();
    const auto status = read_file("/proc/" + std::to_string(small.id()) + "/status");
    idle = static_cast<int64_t>(number_after("VmPeak:\\s*", status));
    small.send(SIGKILL);
  }
  fs::remove_all(directory_ / "out");
  std::vector<std::string> limited{"bash", "-c", str("ulimit -v ", idle + 400'000, "; exec \"$@\""),
                                   "bash"};
  const auto words = large("auto", "1");
  limited.insert(limited.end(), words.begin(), words.end());
  const auto first = run(limited);
  ASSERT_EQ(first.code, 0) << first.err;
  const auto chosen = number_after("--batch-size auto: micro-batches of ", first.err);
  EXPECT_GE(chosen, 4);
  EXPECT_LE(chosen, 128) << first.err;
  EXPECT_TRUE(has(first.err, str(256 / chosen, " of them in a step of 256 samples"))) << first.err;
  const auto resumed = run(large("auto", "2"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(has(resumed.err, str("micro-batches of ", chosen, ", ", 256 / chosen,
                                   " in a step, as in the run so far")))
      << resumed.err;
}

TEST_F(WfDryRun, AnAutomaticBatchThatFitsIsTheTotalAndChangesNoWeight) {
  const auto given = train({"--dry-run", "--batch-size", "8"});
  const auto found = leaves_nothing({"--dry-run", "--batch-size", "auto"});
  ASSERT_EQ(found.code, 0) << found.err;
  EXPECT_TRUE(has(found.err, "micro-batches of 8, 1 of them")) << found.err;
  EXPECT_EQ(number_after("first step     loss ", given.out),
            number_after("first step     loss ", found.out));
}

using WfDryRunDit = DitRun;

TEST_F(WfDryRunDit, ReportsOneStepOfADiffusionModel) {
  const auto before = files_below(directory_.path());
  for (const bool simulated : {false, true}) {
    auto words = command("dry");
    words.push_back("--dry-run");
    if (simulated) words.insert(words.end(), {"--world", "4", "--rank", "1"});
    if (!simulated) words.insert(words.end(), {"--batch-size", "auto"});
    const auto end = run(words);
    ASSERT_EQ(end.code, 0) << end.err;
    EXPECT_TRUE(has(end.out, "[8, 4, 8, 8] float")) << end.out;
    EXPECT_TRUE(has(end.out, "first step     loss ")) << end.out;
    EXPECT_EQ(has(end.out, "each step      all-reduce"), simulated) << end.out;
  }
  EXPECT_EQ(files_below(directory_.path()), before);
}

}  // namespace
}  // namespace wf::testing
