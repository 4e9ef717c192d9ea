// The messages of wf_train about a run and about errors in its command.

#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class WfTrainMessages : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "run.yaml", R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 0, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2}
TRAIN: {EPOCHS: 1, WARMUP_EPOCHS: 0}
AUG: {MIXUP: 0, CUTMIX: 0, AUTO_AUGMENT: none, COLOR_JITTER: 0, REPROB: 0}
DEVICE: cpu
)");
    write_toy_folder(folder_ / "data", /*train=*/16, /*val=*/6, /*side=*/16);
  }
  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> words{program("wf_train"), "--cfg",          folder_ / "run.yaml",
                                   "--data-path",       folder_ / "data", "--output",
                                   folder_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Finished train(const std::vector<std::string>& more = {}) const { return run(command(more)); }
  void expect_error(const std::vector<std::string>& more, const std::string& message) const {
    const auto end = train(more);
    EXPECT_EQ(end.code, 2) << end.err;
    EXPECT_NE(end.err.find("error: " + message), std::string::npos) << end.err;
  }
  TempDir folder_;
};

TEST_F(WfTrainMessages, LogsTheSizesOfTheDataAndTakesTheTagLiterally) {
  const auto end = train({"--tag", "exp #2"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("data: 2 classes, 16 training and 6 validation images\n"),
            std::string::npos)
      << end.err;
  EXPECT_EQ(end.err.find("have no effect"), std::string::npos) << end.err;
  EXPECT_TRUE(fs::exists(folder_ / "out/wfm_nano/exp #2/max_acc.pth"));
  EXPECT_FALSE(fs::exists(folder_ / "out/wfm_nano/exp"));
  const auto evaluation =
      train({"--tag", "eval", "--eval", "--resume", folder_ / "out/wfm_nano/exp #2/max_acc.pth"});
  ASSERT_EQ(evaluation.code, 0) << evaluation.err;
  EXPECT_NE(evaluation.err.find("data: 2 classes, 6 validation images\n"), std::string::npos)
      << evaluation.err;
}

TEST_F(WfTrainMessages, ABatchThatNoMemoryHoldsIsOneLineThatNamesTheSettings) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer reserves more address space than the limit of this test";
#endif
  for (const char* workers : {"0", "2"}) {
    const auto end = run({"bash", "-c", "ulimit -v 16000000; exec \"$@\"", "bash",
                          program("wf_train"), "--cfg", folder_ / "run.yaml", "--data-path",
                          folder_ / "data", "--output", folder_ / "out", "--opts", "DATA.IMG_SIZE",
                          "16384", "DATA.BATCH_SIZE", "16", "DATA.NUM_WORKERS", workers});
    EXPECT_EQ(end.code, 1) << end.err;
    EXPECT_NE(end.err.find("error: out of memory: a batch of [16, 3, 16384, 16384] takes 48 GiB, "),
              std::string::npos)
        << end.err;
    EXPECT_NE(end.err.find("lower DATA.BATCH_SIZE or DATA.IMG_SIZE\n"), std::string::npos)
        << end.err;
  }
}

TEST_F(WfTrainMessages, AFileThatExceedsTheLimitOfTheShellIsNamed) {
  const auto end =
      run({"bash", "-c", "ulimit -f 1; exec \"$@\"", "bash", program("wf_train"), "--cfg",
           folder_ / "run.yaml", "--data-path", folder_ / "data", "--output", folder_ / "out"});
  EXPECT_EQ(end.code, 2) << end.err;
  EXPECT_NE(end.err.find("error: " + (folder_ / "out/wfm_nano/default/config.yaml") +
                         ": cannot write file: File too large\n"),
            std::string::npos)
      << end.err;
}

TEST_F(WfTrainMessages, PixelsThatNoPatchCoversAreWarnedOf) {
  const auto end = train({"--opts", "DATA.IMG_SIZE", "18"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(
      end.err.find("DATA.IMG_SIZE: images of 18 x 18 pixels: the patches have 4 x 4, so the last "
                   "2 rows and 2 columns have no effect"),
      std::string::npos)
      << end.err;
}

TEST_F(WfTrainMessages, WithoutAValidationSetAPartOfTheTrainingSetIsHeldOut) {
  fs::remove_all(folder_ / "data/val");
  const auto end = train({"--opts", "DATA.VAL_SPLIT", "0.25"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("data: 2 classes, 12 training and 4 validation images\n"),
            std::string::npos)
      << end.err;
  expect_error({"--tag", "b", "--opts", "MODEL.TYPE", "wfm_dit", "MODEL.NAME", "dit_nano",
                "DATA.VAL_SPLIT", "0.25"},
               "DATA.VAL_SPLIT is for classification");
}

TEST_F(WfTrainMessages, TheLogTellsHowThreadsWait) {
  const auto line = [&](const std::vector<std::string>& environment, const std::string& expected) {
    std::vector<std::string> words{"env"};
    words.insert(words.end(), environment.begin(), environment.end());
    for (const auto& word : command({"--tag", expected.substr(0, 4)})) words.push_back(word);
    const auto end = run(words);
    ASSERT_EQ(end.code, 0) << end.err;
    EXPECT_NE(end.err.find(" (" + expected + "), rank 0 of 1"), std::string::npos) << end.err;
  };
  line({"-u", "OMP_WAIT_POLICY", "-u", "GOMP_SPINCOUNT"}, "GOMP_SPINCOUNT 1000");
  line({"-u", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT=7"}, "GOMP_SPINCOUNT 7");
  line({"-u", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY=passive"}, "OMP_WAIT_POLICY passive");
  const auto shared = [&] {
    std::vector<std::string> words{
        "env",          "-u",           "OMP_NUM_THREADS",        "RANK=0",
        "WORLD_SIZE=1", "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=100000"};
    for (const auto& word : command({"--tag", "shared"})) words.push_back(word);
    return run(words);
  }();
  EXPECT_NE(shared.err.find("on cpu, 1 threads ("), std::string::npos) << shared.err;
}

TEST_F(WfTrainMessages, AmpAutoTellsWhatItChose) {
  const auto end = train({"--opts", "AMP", "auto"});
  ASSERT_EQ(end.code, 0) << end.err;
  const bool bfloat16 = end.err.find("AMP auto: bfloat16\n") != std::string::npos;
  EXPECT_NE(bfloat16, end.err.find("AMP auto: float32 on this CPU\n") != std::string::npos);
  // What was chosen is the setting of the run.
  EXPECT_NE(read_file(folder_ / "out/wfm_nano/default/config.yaml")
                .find(bfloat16 ? "\nAMP: true\n" : "\nAMP: false\n"),
            std::string::npos);
}

TEST_F(WfTrainMessages, AmpWithoutTheInstructionsIsWarnedOf) {
  ::setenv("ATEN_CPU_CAPABILITY", "avx2", 1);
  const auto chosen = train({"--opts", "AMP", "auto"}), forced = train({"--amp", "--tag", "b"});
  ::unsetenv("ATEN_CPU_CAPABILITY");
  EXPECT_NE(chosen.err.find("AMP auto: float32 on this CPU\n"), std::string::npos) << chosen.err;
  EXPECT_NE(forced.err.find("AMP true: this CPU has no instructions for bfloat16"),
            std::string::npos)
      << forced.err;
}

TEST_F(WfTrainMessages, AWrongDataDirectoryIsAnsweredWithWhatItLacks) {
  fs::create_directory(folder_ / "nothing");
  expect_error({"--data-path", folder_ / "gone"},
               (folder_ / "gone") + ": no such directory (DATA.DATA_PATH)");
  expect_error({"--data-path", folder_ / "nothing"},
               (folder_ / "nothing") + ": holds no train/; expected train/CLASS/*.jpg");
  expect_error({"--data-path", folder_ / "data/train"},
               (folder_ / "data/train") + ": holds no train/, only level, upright; expected");
  fs::remove_all(folder_ / "data/val");
  expect_error({}, (folder_ / "data") + ": holds no val/, only train; expected");
}

TEST_F(WfTrainMessages, ACommandThatIsRefusedLeavesNoRunDirectory) {
  expect_error({"--opts", "MODEL.NAME", "wfm_tinny"}, "unknown model 'wfm_tinny'");
  expect_error({"--opts", "MODEL.NAME", "../../x"}, "unknown model '../../x'");
  expect_error({"--output", ""}, "OUTPUT (--output) is empty");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST(Programs, AResultThatCannotBeWrittenIsAnError) {
  const auto end =
      run({"bash", "-c", "exec \"$1\" --list-models >/dev/full", "bash", program("wf_train")});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err, "error: standard output: cannot write; the result is lost or incomplete\n");
}

TEST(Programs, ListTheModels) {
  const auto end = run({program("wf_train"), "--list-models"});
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("\nwfm_tiny    wfm            192    17    16     224\n"),
            std::string::npos)
      << end.out;
  EXPECT_NE(end.out.find("\ndit_b_8 "), std::string::npos) << end.out;
}

TEST(Programs, PrintTheirVersion) {
  for (const char* name : {"wf_train", "wf_infer", "wf_convert", "wf_prepare", "wf_report",
                           "wf_pack", "wf_scale", "wf_bench", "wf_sample"}) {
    const auto end = run({program(name), "--version"});
    EXPECT_EQ(end.code, 0) << name << ": " << end.err;
    EXPECT_EQ(end.out.rfind("weightformer ", 0), 0u) << name << ": " << end.out;
    const auto libraries = end.out.find("\nLibTorch 2.");
    EXPECT_NE(libraries, std::string::npos) << name << ": " << end.out;
    EXPECT_EQ(end.out.find(", ,"), std::string::npos) << name << ": a library without a version";
    EXPECT_EQ(std::count(end.out.begin(), end.out.end(), '\n'), 2) << name;
  }
}

}  // namespace
}  // namespace wf::testing
