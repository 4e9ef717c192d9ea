// Cut networks, simulated by network namespaces on a bridge.

#include "training.h"

#include <unistd.h>

namespace wf::testing {
namespace {

// `count` namespaces with the addresses 10.77.0.1, 10.77.0.2, … on a bridge in one more.
class Hosts {
 public:
  explicit Hosts(int count) : count_(count) {
    ok_ = ::geteuid() == 0 && ip({"netns", "add", name("switch")}) &&
          ip({"-n", name("switch"), "link", "add", "br0", "type", "bridge"}) &&
          ip({"-n", name("switch"), "link", "set", "br0", "up"});
    for (int i = 0; i < count && ok_; ++i) {
      const std::string host = name(i), port = "port" + std::to_string(i);
      ok_ = ip({"netns", "add", host}) &&
            ip({"-n", host, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns",
                name("switch")}) &&
            ip({"-n", host, "addr", "add", "10.77.0." + std::to_string(i + 1) + "/24", "dev",
                "eth0"}) &&
            ip({"-n", host, "link", "set", "lo", "up"}) &&
            ip({"-n", host, "link", "set", "eth0", "up"}) &&
            ip({"-n", name("switch"), "link", "set", port, "master", "br0", "up"});
    }
  }
  ~Hosts() {
    for (int i = 0; i < count_; ++i) ip({"netns", "del", name(i)});
    ip({"netns", "del", name("switch")});
  }
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  bool ok() const { return ok_; }
  void set_cable(int host, const char* state) {
    ip({"-n", name("switch"), "link", "set", "port" + std::to_string(host), state});
  }
  /// `command` as rank `host`, with torchrun's variables; rank 0 is on the first host.
  std::unique_ptr<Process> start(int host, const std::vector<std::string>& command) const {
    const auto rank = std::to_string(host), world = std::to_string(count_);
    std::vector<std::string> words{"ip",
                                   "netns",
                                   "exec",
                                   name(host),
                                   "env",
                                   "RANK=" + rank,
                                   "WORLD_SIZE=" + world,
                                   "LOCAL_RANK=0",
                                   "MASTER_ADDR=10.77.0.1",
                                   "MASTER_PORT=29400",
                                   "OMP_NUM_THREADS=1"};
    words.insert(words.end(), command.begin(), command.end());
    return std::make_unique<Process>(words);
  }

 private:
  static bool ip(const std::vector<std::string>& words) {
    std::vector<std::string> command{"ip"};
    command.insert(command.end(), words.begin(), words.end());
    return run(command).code == 0;
  }
  std::string name(const std::string& suffix) const {
    return "wf" + std::to_string(::getpid()) + suffix;
  }
  std::string name(int host) const { return name("host" + std::to_string(host)); }

  int count_;
  bool ok_ = false;
};

class Network : public ::testing::TestWithParam<int> {};

TEST_P(Network, ACutConnectionIsReportedByAllRanksAndARestartResumes) {
  const int count = GetParam();
  Hosts hosts(count);
  if (!hosts.ok()) GTEST_SKIP() << "needs root and ip netns";
  const Training training(/*epochs=*/60);
  const auto command = training.command("run");
  {
    std::vector<std::unique_ptr<Process>> ranks;
    for (int i = 0; i < count; ++i) ranks.push_back(hosts.start(i, command));
    ASSERT_TRUE(ranks[0]->wait_for("train [2/")) << ranks[0]->err();
    hosts.set_cable(count - 1, "down");
    const auto cut = std::chrono::steady_clock::now();
    for (auto& rank : ranks) {
      const auto end = rank->wait();
      EXPECT_EQ(end.code, 4) << end.err;
      EXPECT_NE(end.err.find("error: rank "), std::string::npos) << end.err;
    }
    // DIST.TIMEOUT_S is 5; the rest is for slow machines.
    EXPECT_LT(std::chrono::steady_clock::now() - cut, std::chrono::seconds(20));
  }
  hosts.set_cable(count - 1, "up");
  std::vector<std::unique_ptr<Process>> ranks;
  for (int i = 0; i < count; ++i) {
    ranks.push_back(hosts.start(i, training.command("run", {"--opts", "TRAIN.EPOCHS", "6"})));
  }
  for (auto& rank : ranks) {
    const auto end = rank->wait();
    EXPECT_EQ(end.code, 0) << end.err;
    if (&rank == &ranks[0]) {
      EXPECT_NE(end.err.find("resumed "), std::string::npos) << end.err;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Hosts, Network, ::testing::Values(2, 3));

}  // namespace
}  // namespace wf::testing
