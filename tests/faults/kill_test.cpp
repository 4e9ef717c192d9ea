// Killed processes and resumed runs. WF_KILLS sets their number (5; 50 for the long test).

#include "weightformer/core/random.h"

#include "training.h"

#include <cstdlib>
#include <thread>

namespace wf::testing {
namespace {

constexpr int kEpochs = 4;

int64_t lines_with(const std::string& text, const std::string& word) {
  int64_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

// The processes that a process has started.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  const std::string id = std::to_string(parent);
  std::istringstream list(read_file("/proc/" + id + "/task/" + id + "/children"));
  for (pid_t child = 0; list >> child;) out.push_back(child);
  return out;
}

TEST(Kills, AtRandomStepsEndWithTheSameWeights) {
  const char* asked = std::getenv("WF_KILLS");
  const int kills = asked ? std::atoi(asked) : 5, epochs = kEpochs + kills;
  const Training training(epochs);
  const auto unbroken = Ranks(2, training.command("unbroken")).wait();
  for (const auto& rank : unbroken) ASSERT_EQ(rank.code, 0) << told(unbroken);

  CounterRng rng{20260101};
  int done = 0;
  for (; done < kills; ++done) {
    Ranks ranks(2, training.command("broken"));
    ASSERT_TRUE(ranks[0].wait_for("train [")) << ranks[0].err();
    // Up to a bit more than an epoch lasts, so that the run moves on, but not always.
    std::this_thread::sleep_for(std::chrono::microseconds(rng.below(400'000)));
    const int victim = static_cast<int>(rng.below(2));
    ranks[victim].send(SIGKILL);
    const auto left = ranks[1 - victim].wait();
    if (left.code == 0) break;  // it was already finished
    EXPECT_EQ(left.code, 4) << left.err;
    EXPECT_EQ(lines_with(left.err, "error: rank"), 1) << left.err;
    EXPECT_EQ(lines_with(left.err, "frame #"), 0) << left.err;
  }
  RecordProperty("kills", done);
  EXPECT_EQ(done, kills) << "the run ended before all kills were done: give it more epochs";
  const auto last = Ranks(2, training.command("broken")).wait();
  for (const auto& rank : last) ASSERT_EQ(rank.code, 0) << told(last);
  expect_equal(training.tensors("unbroken", epochs), training.tensors("broken", epochs));
  EXPECT_EQ(training.metrics("unbroken").size(), training.metrics("broken").size());
}

TEST(LostRank, OneThatCannotReadItsDataEndsTheOthersWithOneLine) {
  const Training training(kEpochs);
  std::vector<std::string> words{
      "bash", "-c", "[ $RANK = 1 ] || set -- \"$@\" --data-path /none; exec \"$@\"", "bash"};
  const auto command = training.command("run");
  words.insert(words.end(), command.begin(), command.end());
  const auto ranks = Ranks(2, words).wait();
  EXPECT_EQ(ranks[0].code, 2) << told(ranks);
  EXPECT_NE(ranks[0].err.find("error: /none: no such directory"), std::string::npos) << told(ranks);
  EXPECT_EQ(ranks[1].code, 4) << told(ranks);
  EXPECT_EQ(lines_with(ranks[1].err, "\n"), 1) << told(ranks);
}

TEST(Kills, TorchrunRestartsAndTheRunResumes) {
  auto command = torchrun(2, {"--max-restarts=3", "--monitor-interval=0.2", "--redirects=0"});
  if (command.empty()) GTEST_SKIP() << "Python has no torch, so there is no torchrun";
  const Training training(kEpochs);
  const auto unbroken = Ranks(2, training.command("unbroken")).wait();
  for (const auto& rank : unbroken) ASSERT_EQ(rank.code, 0) << told(unbroken);

  const auto words = training.command("broken");
  command.insert(command.end(), words.begin(), words.end());
  Process agent(command);
  ASSERT_TRUE(agent.wait_for("train [2/")) << agent.err();
  const auto workers = children_of(agent.id());
  ASSERT_EQ(workers.size(), 2u) << agent.err();
  ::kill(workers[1], SIGKILL);
  const auto end = agent.wait();
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("ckpt_epoch_1.pth: 1 epochs and 0 batches done"), std::string::npos)
      << end.err;
  expect_equal(training.tensors("unbroken", kEpochs), training.tensors("broken", kEpochs));
}

TEST(Preemption, SigtermSavesWithinSecondsAndResumesExactly) {
  const Training training(kEpochs);
  const auto unbroken = Ranks(2, training.command("unbroken")).wait();
  for (const auto& rank : unbroken) ASSERT_EQ(rank.code, 0) << told(unbroken);
  {
    // Only rank 1 hears the signal; both stop after the same step.
    Ranks ranks(2, training.command("stopped"));
    ASSERT_TRUE(ranks[0].wait_for("train [2/")) << ranks[0].err();
    ranks[1].send(SIGTERM);
    const auto ends = ranks.wait();
    for (const auto& rank : ends) EXPECT_EQ(rank.code, 0) << told(ends);
    EXPECT_NE(ends[0].err.find("ckpt_step_"), std::string::npos) << told(ends);
  }
  const auto resumed = Ranks(2, training.command("stopped")).wait();
  for (const auto& rank : resumed) ASSERT_EQ(rank.code, 0) << told(resumed);
  expect_equal(training.tensors("unbroken", kEpochs), training.tensors("stopped", kEpochs));
}

TEST(Elastic, ResumesWithDifferentWorldSize) {
  const Training training(kEpochs);
  {
    Ranks ranks(2, training.command("run"));
    ASSERT_TRUE(ranks[0].wait_for("train [2/4][2/")) << ranks[0].err();
    ranks[0].send(SIGTERM);
    const auto ends = ranks.wait();
    for (const auto& rank : ends) ASSERT_EQ(rank.code, 0) << told(ends);
  }
  // 96 images: 6 steps of 2 * 8 become 4 steps of 3 * 8.
  const auto resumed = Ranks(3, training.command("run")).wait();
  for (const auto& rank : resumed) ASSERT_EQ(rank.code, 0) << told(resumed);
  EXPECT_NE(resumed[0].err.find("with a global batch of 16, now 24"), std::string::npos)
      << told(resumed);
  const auto metrics = training.metrics("run");
  ASSERT_EQ(metrics.size(), static_cast<size_t>(kEpochs));
}

}  // namespace
}  // namespace wf::testing
