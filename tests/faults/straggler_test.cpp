// A process that gets less of its processor than the other.

#include "training.h"

#include <thread>

namespace wf::testing {
namespace {

TEST(Straggler, TheSlowRankIsLogged) {
  const Training training(/*epochs=*/60);
  Ranks ranks(2, training.command("run"));
  ASSERT_TRUE(ranks[0].wait_for("train [1/")) << ranks[0].err();
  const std::string told_of = "straggler: rank 1 needs ";
  const auto named = [&] { return ranks[0].err().find(told_of) != std::string::npos; };
  // Stopped for most of the time until it is named; the run ends before long if it never is.
  while (!named() && ranks[0].running()) {
    ranks[1].send(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ranks[1].send(SIGCONT);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(named()) << ranks[0].err();
  for (int rank : {0, 1}) ranks[rank].send(SIGTERM);
  const auto ends = ranks.wait();
  for (const auto& rank : ends) EXPECT_EQ(rank.code, 0) << told(ends);
}

}  // namespace
}  // namespace wf::testing
