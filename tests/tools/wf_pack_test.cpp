// The program: a directory packed, listed, verified, damaged.

#include "support/errors.h"
#include "support/process.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

class WfPack : public ::testing::Test {
 protected:
  void SetUp() override {
    write_toy_folder(folder_ / "data", /*train=*/6, /*val=*/0, /*side=*/40);
    write_file(folder_ / "data/train/level/broken.jpg", "not an image");
  }
  Finished make(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{program("wf_pack"), "--input", folder_ / "data/train/",
                                   "--output", packed_};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  TempDir folder_;
  const std::string packed_ = folder_ / "train.wfpack";
};

TEST_F(WfPack, KeepsAllBytesUnlessASideIsGiven) {
  const auto end = make();
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(has(end.out, "7 images in 2 classes, 0 of them reduced")) << end.out;
  const auto listed = run({program("wf_pack"), "--list", packed_});
  EXPECT_TRUE(has(listed.out, "level/broken.jpg\tlevel\t12\n")) << listed.out;
  EXPECT_TRUE(has(listed.out, "upright/0.png\tupright\t")) << listed.out;
}

TEST_F(WfPack, ReducesAndNamesWhatItLeavesOut) {
  const auto end = make({"--side", "16", "--quality", "80"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(has(end.out, "6 images in 2 classes, 6 of them reduced")) << end.out;
  EXPECT_TRUE(has(end.out, "1 unreadable ones left out")) << end.out;
  EXPECT_TRUE(has(end.err, "left out: " + folder_.path())) << end.err;
  EXPECT_TRUE(has(end.err, "level/broken.jpg")) << end.err;
}

TEST_F(WfPack, VerifyFindsAFlippedByte) {
  ASSERT_EQ(make().code, 0);
  const auto good = run({program("wf_pack"), "--verify", packed_});
  EXPECT_EQ(good.code, 0);
  EXPECT_TRUE(has(good.out, "all 7 images are intact")) << good.out;
  std::string bytes = read_file(packed_);
  bytes[bytes.find("not an image")] = 'N';
  write_file(packed_, bytes);
  const auto bad = run({program("wf_pack"), "--verify", packed_});
  EXPECT_EQ(bad.code, 2);
  EXPECT_TRUE(has(bad.out, "level/broken.jpg: damaged")) << bad.out;
  EXPECT_TRUE(has(bad.err, "1 of 7 images are corrupted")) << bad.err;
}

TEST_F(WfPack, ShowsABarWithTimeLeftOnATerminalOnly) {
  const auto plain = make();
  EXPECT_EQ(plain.err.find("eta"), std::string::npos) << plain.err;
  const auto command =
      program("wf_pack") + " --input " + folder_ / "data/train --output " + packed_;
  const auto shown = run({"script", "-qec", command, "/dev/null"});
  if (shown.code == 127) GTEST_SKIP() << "no program `script`, which gives a terminal";
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_TRUE(has(shown.out, "[========================] 7/7 images  ")) << shown.out;
  EXPECT_TRUE(has(shown.out, " images/s  eta 0:00:00")) << shown.out;
}

TEST_F(WfPack, RepacksAPackedFileButNotOverItself) {
  ASSERT_EQ(make().code, 0);
  const auto again =
      run({program("wf_pack"), "--input", packed_, "--output", folder_ / "2.wfpack"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_file(folder_ / "2.wfpack"), read_file(packed_));
  const auto same = run({program("wf_pack"), "--input", packed_, "--output", packed_});
  EXPECT_EQ(same.code, 2);
  EXPECT_TRUE(has(same.err, "is the input")) << same.err;
}

TEST_F(WfPack, ABadCommandIsOneLine) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{},
        {"--input", "x"},
        {"--list", "x", "--verify", "x"},
        {"--list", folder_ / "none"},
        {"--input", folder_ / "none", "--output", packed_}}) {
    std::vector<std::string> command{program("wf_pack")};
    command.insert(command.end(), words.begin(), words.end());
    const auto end = run(command);
    EXPECT_EQ(end.code, 2);
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
  }
}

}  // namespace
}  // namespace wf::testing
