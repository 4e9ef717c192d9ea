// A process that is killed inside every system call of its saves, one by one, and resumed. Of
// consecutive writes to a file it is the first, or with WF_KILLS in the environment each of them.

#include "checkpoint/checkpoint_file.h"
#include "support/all_tensors.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

std::vector<std::string> probe(const std::string& directory, int epochs,
                               const std::vector<std::string>& variables = {}) {
  std::filesystem::create_directories(directory);
  std::vector<std::string> words{"env", "OMP_NUM_THREADS=1",
                                 "ASAN_OPTIONS=verify_asan_link_order=0"};
  if (!variables.empty()) {
    words.insert(words.end(), {"LD_PRELOAD=" WF_KILL_SHIM, "WF_KILL_UNDER=" + directory});
    words.insert(words.end(), variables.begin(), variables.end());
  }
  words.insert(words.end(), {program("wf_save_probe"), directory, std::to_string(epochs)});
  return words;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void expect_equal_files(const std::string& a, const std::string& b) {
  const auto ours = all_tensors(a), theirs = all_tensors(b);
  ASSERT_EQ(ours.size(), theirs.size());
  for (const auto& [name, tensor] : ours) EXPECT_TRUE(torch::equal(tensor, theirs.at(name)));
  EXPECT_EQ(CheckpointFile(a).progress(1).best_metric, CheckpointFile(b).progress(1).best_metric);
}

// Which calls to kill at, from 1.
std::vector<size_t> kills_among(const std::vector<std::string>& calls) {
  std::vector<size_t> kills;
  for (size_t i = 0; i < calls.size(); ++i) {
    const bool repeated = i > 0 && calls[i] == calls[i - 1];
    if (!repeated || std::getenv("WF_KILLS")) kills.push_back(i + 1);
  }
  return kills;
}

void kill_everywhere(int epochs, const std::string& variable = "WF_NO_LINKS=") {
  const TempDir folder;
  const auto unbroken = folder / "unbroken";
  const auto last = "/ckpt_epoch_" + std::to_string(epochs) + ".pth";
  const auto unkilled =
      run(probe(unbroken, epochs, {variable, "WF_KILL_LOG=" + (folder / "calls")}));
  ASSERT_EQ(unkilled.code, 0) << unkilled.err;
  const auto calls = lines_of(folder / "calls");
  for (const std::string kind : {"write", "fsync", "rename", "link"}) {
    EXPECT_TRUE(std::any_of(calls.begin(), calls.end(), [&](const auto& call) {
      return call.rfind(kind, 0) == 0 && call.find(".pth") != std::string::npos;
    })) << kind;
  }
  const auto kills = kills_among(calls);
  size_t done = 0;
  for (const size_t at : kills) {
    SCOPED_TRACE("killed at call " + std::to_string(at) + ": " + calls[at - 1]);
    const auto broken = folder / ("broken_" + std::to_string(at));
    const auto killed = run(probe(broken, epochs, {variable, "WF_KILL_AT=" + std::to_string(at)}));
    // A save that still waits when the next one comes is left out, so the numbers differ a little.
    if (killed.code == 0) continue;
    ASSERT_EQ(killed.code, 128 + SIGKILL) << killed.err;
    ++done;
    const auto resumed = run(probe(broken, epochs));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(resumed.out, unkilled.out) << "the best validation";
    EXPECT_EQ(names_in(broken), names_in(unbroken));
    expect_equal_files(broken + "/max_acc.pth", unbroken + "/max_acc.pth");
    expect_equal_files(broken + last, unbroken + last);
  }
  ::testing::Test::RecordProperty("kills", static_cast<int>(done));
  EXPECT_GT(done, kills.size() * 3 / 4);
}

TEST(KilledInASave, ARunThatWasNotAtItsBestLastKeepsTheBestWeights) { kill_everywhere(4); }

TEST(KilledInASave, ARunWhoseLastEpochWasTheBestKeepsTheBestWeights) { kill_everywhere(2); }

TEST(KilledInASave, WithoutHardLinksTheBestWeightsAreKeptToo) {
  kill_everywhere(2, "WF_NO_LINKS=1");
}

TEST(FullDisk, TheOldestCheckpointIsRemovedForTheNewest) {
  const TempDir folder;
  const auto one = folder / "one";
  ASSERT_EQ(run(probe(one, 1)).code, 0);
  const auto size = std::filesystem::file_size(one + "/ckpt_epoch_1.pth");
  const auto full = folder / "full";
  // The best one, the newest one and the one that is being written, but no older one.
  const auto limit = "WF_DISK_BYTES=" + std::to_string(3 * size + size / 2);
  const auto filled = run(probe(full, 4, {"WF_KEEP=3", limit}));
  EXPECT_EQ(filled.code, 0) << filled.err;
  EXPECT_NE(filled.err.find("the disk is full"), std::string::npos) << filled.err;
  EXPECT_TRUE(std::filesystem::exists(full + "/ckpt_epoch_4.pth")) << filled.err;
  EXPECT_TRUE(std::filesystem::exists(full + "/max_acc.pth")) << filled.err;
}

}  // namespace
}  // namespace wf::testing
