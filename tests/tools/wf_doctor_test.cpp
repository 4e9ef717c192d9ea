// wf_doctor with each fault planted.

#include "support/errors.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <filesystem>

namespace wf::testing {
namespace {

class WfDoctor : public ::testing::Test {
 protected:
  // `prefix`: a shell command before it, such as a limit.
  Finished examine(const std::vector<std::string>& more, const std::string& prefix = "true") const {
    std::vector<std::string> words{"bash",
                                   "-c",
                                   prefix + " && exec \"$@\"",
                                   "bash",
                                   program("wf_doctor"),
                                   "--output",
                                   directory_ / "out/new"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void expect_found(const Finished& end, const std::string& line, const std::string& advice) const {
    EXPECT_EQ(end.code, 1) << end.out << end.err;
    EXPECT_TRUE(has(end.out, line)) << end.out << end.err;
    EXPECT_TRUE(has(end.out, advice)) << end.out << end.err;
  }
  TempDir directory_;
};

TEST_F(WfDoctor, FindsNothingWrongWhereNothingIs) {
  write_toy_folder(directory_ / "data", /*train=*/8, /*val=*/4, /*side=*/16);
  const auto end = examine({"--data-path", directory_ / "data"}, "ulimit -n 1024");
  for (const char* part :
       {"ok       LibTorch", "ok       GPU", "ok       CPU", "ok       threads", "ok       files",
        "ok       output", "ok       data           8 of 8 training samples read, 0 unreadable"}) {
    EXPECT_TRUE(has(end.out, part)) << part << "\n" << end.out << end.err;
  }
  EXPECT_EQ(end.code, has(end.out, "->") ? 1 : 0) << end.out;
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out")) << "it leaves nothing";
}

TEST_F(WfDoctor, FindsFewOpenFiles) {
  expect_found(examine({}, "ulimit -n 64"), "WARNING  files          64 may be open",
               "ulimit -n 4096");
}

TEST_F(WfDoctor, FindsMoreThreadsThanCpus) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  const auto many = std::to_string(4 * CPU_COUNT(&set));
  expect_found(examine({"--opts", "THREADS", many}), "WARNING  threads        " + many + " for ",
               "unset OMP_NUM_THREADS");
}

TEST_F(WfDoctor, FindsALowerInstructionSet) {
  if (has(examine({}).out, "kernels for DEFAULT")) GTEST_SKIP() << "this processor has no others";
  expect_found(examine({}, "export ATEN_CPU_CAPABILITY=default"), "WARNING  CPU",
               "ATEN_CPU_CAPABILITY is default: unset it");
}

TEST_F(WfDoctor, FindsOutputThatCannotBeWritten) {
  write_file(directory_ / "file", "x");
  expect_found(examine({"--output", directory_ / "file/out"}), "FAULT    output", "--output");
  const auto mounted = [&](const std::string& options) {
    const auto place = directory_ / "mount";
    std::filesystem::create_directories(place);
    return run({"unshare", "-m", "bash", "-c",
                "mount -t tmpfs -o " + options + " none " + place + " || exit 77; exec \"$@\"",
                "bash", program("wf_doctor"), "--output", place + "/out"});
  };
  const auto full = mounted("size=1m");
  if (full.code == 77 || full.out.empty()) GTEST_SKIP() << "cannot mount here: " << full.err;
  expect_found(full, "cannot write: No space left on device", "free some space");
  expect_found(mounted("ro"), "cannot write: Read-only file system", "make it writable");
}

TEST_F(WfDoctor, FindsDataThatIsMissingEmptyOrDamaged) {
  const auto data = directory_ / "data";
  expect_found(examine({"--data-path", data}), "FAULT    data           " + data, "docs/data.md");
  std::filesystem::create_directories(data + "/train");
  expect_found(examine({"--data-path", data}), "FAULT    data           " + data, "docs/data.md");
  write_toy_folder(data, /*train=*/8, /*val=*/4, /*side=*/16);
  write_file(data + "/train/level/1.png", "no image");
  expect_found(
      examine({"--data-path", data}),
      "WARNING  data           8 of 8 training samples read, 1 unreadable, the first is " + data,
      "restore or remove them");
  write_file(directory_ / "run.yaml", "MODEL: {NAME: wfm_nano, NUM_CLASSES: 5}\n");
  expect_found(examine({"--data-path", data, "--cfg", directory_ / "run.yaml"}), "FAULT    data",
               "docs/data.md");
}

TEST_F(WfDoctor, MistakesInItsCommandHaveExitCodeTwo) {
  EXPECT_EQ(examine({"--samples", "0"}).code, 2);
  EXPECT_EQ(examine({"--cfg", directory_ / "none.yaml"}).code, 2);
}

}  // namespace
}  // namespace wf::testing
