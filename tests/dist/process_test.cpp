// Real processes that train together; their checks are in dist_probe.cpp.

#include "support/ranks.h"
#include "support/tar_writer.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace wf::testing {
namespace {

std::vector<std::string> probe(const std::string& name, const std::string& timeout = "60") {
  return {program("wf_dist_probe"), name, timeout};
}

int64_t lines_with(const std::string& text, const std::string& word) {
  int64_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

struct Case {
  const char* name;
  int world;
};

class Together : public ::testing::TestWithParam<Case> {};

TEST_P(Together, Holds) {
  const auto [name, world] = GetParam();
  const auto ranks = Ranks(world, probe(name)).wait();
  for (const auto& rank : ranks) EXPECT_EQ(rank.code, 0) << told(ranks);
}

INSTANTIATE_TEST_SUITE_P(
    Processes, Together,
    ::testing::Values(Case{"gradients", 1}, Case{"gradients", 2}, Case{"gradients", 3},
                      Case{"small_buckets", 3}, Case{"accumulation", 2}, Case{"compressed", 2},
                      Case{"unused", 2}, Case{"overflow", 2}, Case{"votes", 3}),
    [](const auto& info) {
      return std::string(info.param.name) + "On" + std::to_string(info.param.world);
    });

TEST(ProcessGroup, RootMayWorkLongerThanTheTimeout) {
  const auto ranks = Ranks(2, probe("long_root", "1.5")).wait();
  for (const auto& rank : ranks) EXPECT_EQ(rank.code, 0) << told(ranks);
}

TEST(ProcessGroup, WhatFailsOnRootEndsTheOthers) {
  const auto ranks = Ranks(2, probe("root_fails", "5")).wait();
  EXPECT_EQ(ranks[0].code, 2) << told(ranks);
  EXPECT_NE(ranks[0].err.find("error: the disk is full"), std::string::npos) << told(ranks);
  EXPECT_EQ(ranks[1].code, 4) << told(ranks);
  EXPECT_NE(ranks[1].err.find("rank 0 failed during its save"), std::string::npos) << told(ranks);
}

TEST(ProcessGroup, OnlyRankZeroIndexesTarFiles) {
  const TempDir data;
  const auto tar = data / "train.tar";
  write_file(tar, tar_bytes({{"a/1.jpg", "one"}, {"b/2.jpg", "two"}}));
  const auto command = [&] {
    auto words = probe("tar_index");
    const auto directory = std::filesystem::path(tar).parent_path().string();
    words.insert(words.begin(), {"env", "WF_PROBE_DATA=" + directory});
    return words;
  };
  // An index is kept only of a file that has not just changed.
  std::filesystem::last_write_time(
      tar, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  const auto ranks = Ranks(2, command()).wait();
  for (int rank : {0, 1}) {
    EXPECT_EQ(ranks[rank].code, 0) << told(ranks);
    EXPECT_EQ(lines_with(ranks[rank].err, "2 images"), 1) << told(ranks);
    EXPECT_EQ(lines_with(ranks[rank].err, "making the index"), rank == 0 ? 1 : 0) << told(ranks);
  }
  // Every rank reports what is wrong with the file.
  write_file(tar, std::string(700, 'x'));
  for (const auto& rank : Ranks(2, command()).wait()) {
    EXPECT_EQ(rank.code, 2) << rank.err;
    EXPECT_EQ(lines_with(rank.err, "error: " + tar), 1) << rank.err;
  }
}

TEST(ProcessGroup, NamesTheMissingRanks) {
  // Three are expected and one is started.
  const auto one =
      run({"env", "RANK=0", "WORLD_SIZE=3", "LOCAL_RANK=0", "MASTER_ADDR=127.0.0.1",
           "MASTER_PORT=" + std::to_string(free_port()), program("wf_dist_probe"), "votes", "1"});
  EXPECT_EQ(one.code, 4) << one.err;
  EXPECT_NE(one.err.find("these ranks are missing: 1, 2"), std::string::npos) << one.err;
}

TEST(ProcessGroup, ReportsUnreachableMaster) {
  const auto meet = [](const std::string& address, const std::string& port) {
    return run({"env", "RANK=1", "WORLD_SIZE=2", "LOCAL_RANK=1", "MASTER_ADDR=" + address,
                "MASTER_PORT=" + port, program("wf_dist_probe"), "votes", "1"});
  };
  const auto nowhere = meet("no-such-host.invalid", "29500");
  EXPECT_NE(nowhere.code, 0);
  EXPECT_NE(nowhere.err.find("MASTER_ADDR=no-such-host.invalid"), std::string::npos) << nowhere.err;
  EXPECT_NE(nowhere.err.find("waiting until the host name"), std::string::npos);

  const auto refused = meet("127.0.0.1", std::to_string(free_port()));
  EXPECT_EQ(refused.code, 4) << refused.err;
  EXPECT_NE(refused.err.find("error: rank 1 of 2: nothing listens at 127.0.0.1:"),
            std::string::npos)
      << refused.err;
  EXPECT_EQ(lines_with(refused.err, "\n"), 1)
      << "LibTorch's traces are not useful: " << refused.err;

  // The kernel accepts connections, and no program reads.
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 8), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  const auto deaf = meet("127.0.0.1", std::to_string(ntohs(address.sin_port)));
  ::close(silent);
  EXPECT_EQ(deaf.code, 4) << deaf.err;
  EXPECT_NE(deaf.err.find("MASTER_PORT"), std::string::npos) << deaf.err;
}

TEST(ProcessGroup, ASilentRankIsReportedAfterTheTimeout) {
  Ranks ranks(2, probe("silent", "2"));
  const auto waiting = ranks[0].wait();
  EXPECT_EQ(waiting.code, 4) << waiting.err;
  EXPECT_EQ(lines_with(waiting.err, "error: rank 0 of 2: "), 1) << waiting.err;
}

TEST(DataParallel, NamesTheParameterThatDiffers) {
  const auto ranks = Ranks(2, probe("shapes")).wait();
  for (const auto& rank : ranks) EXPECT_EQ(rank.code, 2) << told(ranks);
  EXPECT_NE(ranks[1].err.find("rank 1 differs from rank 0 in its model: weight [3, 4] float, "
                              "rank 0 has weight [2, 4] float"),
            std::string::npos)
      << told(ranks);
}

TEST(DataParallel, AKilledRankEndsTheOthersWithOneClearLine) {
  Ranks ranks(3, probe("endless", "5"));
  for (int rank = 0; rank < 3; ++rank) {
    ASSERT_TRUE(ranks[rank].wait_for("is stepping")) << ranks[rank].err();
  }
  ranks[1].send(SIGKILL);
  for (int rank : {0, 2}) {
    const auto end = ranks[rank].wait();
    EXPECT_EQ(end.code, 4) << end.err;
    EXPECT_EQ(lines_with(end.err, "error: "), 1) << end.err;
    EXPECT_EQ(lines_with(end.err, "frame #"), 0) << end.err;
    EXPECT_NE(end.err.find("error: rank " + std::to_string(rank) + " of 3: "), std::string::npos)
        << end.err;
  }
}

TEST(Torchrun, StartsTheProcessesAndTheyMeet) {
  auto command = torchrun(2);
  if (command.empty()) GTEST_SKIP() << "Python has no torch, so there is no torchrun";
  const auto words = probe("gradients");
  command.insert(command.end(), words.begin(), words.end());
  const auto end = run(command);
  EXPECT_EQ(end.code, 0) << end.err;
  for (const char* rank : {"rank 0 of 2: gradients holds", "rank 1 of 2: gradients holds"}) {
    EXPECT_NE(end.err.find(rank), std::string::npos) << end.err;
  }
}

}  // namespace
}  // namespace wf::testing
