#include "dist/launch_env.h"

#include "weightformer/core/check.h"

#include <charconv>
#include <cstdlib>
#include <vector>

namespace wf {
namespace {

int parse(const std::string& name, const std::string& text) {
  int value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  WF_CHECK(problem == std::errc() && end == text.data() + text.size() && value >= 0, name, "='",
           text, "': expected an integer from 0");
  return value;
}

int read_int(const char* name, int fallback) {
  const char* text = std::getenv(name);
  return text ? parse(name, text) : fallback;
}

// Whether these variables are set; throws when only some are.
bool all_set(const std::vector<const char*>& names, const std::string& advice) {
  std::string set, unset;
  for (const char* name : names) {
    auto& list = std::getenv(name) ? set : unset;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  WF_CHECK(set.empty() || unset.empty(), "incomplete launch environment: ", set, " is set but ",
           unset, " is not; ", advice);
  return unset.empty();
}

// The names that a launcher gives to the common variables.
struct Names {
  const char *rank, *world, *local_rank, *restart;
};

LaunchEnv read_ranks(Launcher launcher, const Names& names) {
  LaunchEnv env;
  env.launcher = launcher;
  env.rank = read_int(names.rank, 0);
  env.world = read_int(names.world, 1);
  env.local_rank = read_int(names.local_rank, 0);
  WF_CHECK(env.world > 0 && env.rank < env.world, names.rank, "=", env.rank, " is not below ",
           names.world, "=", env.world);
  env.restart = read_int(names.restart, 0);
  return env;
}

uint16_t read_port(int fallback) {
  const int port = read_int("MASTER_PORT", fallback);
  WF_CHECK(port > 0 && port < 65536, "MASTER_PORT=", port, ": expected 1 to 65535");
  return static_cast<uint16_t>(port);
}

LaunchEnv from_torchrun() {
  auto env = read_ranks(Launcher::torchrun,
                        {"RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"});
  env.local_world = read_int("LOCAL_WORLD_SIZE", 1);
  if (env.world == 1) return env;
  WF_CHECK(all_set({"MASTER_ADDR", "MASTER_PORT"}, "torchrun sets both"), "WORLD_SIZE=", env.world,
           " needs MASTER_ADDR and MASTER_PORT, the address of rank 0; torchrun sets them");
  env.master_addr = std::getenv("MASTER_ADDR");
  env.master_port = read_port(0);
  const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  env.agent_store = agent && std::string(agent) == "True";
  return env;
}

LaunchEnv from_slurm() {
  auto env = read_ranks(Launcher::slurm, {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID",
                                          "SLURM_RESTART_COUNT"});
  if (env.world == 1) return env;
  const char* master = std::getenv("MASTER_ADDR");
  env.master_addr = master ? master : first_slurm_host(std::getenv("SLURM_STEP_NODELIST"));
  // The same for all processes of a step, and another for the next step or job on that machine;
  // below the range that Linux gives to outgoing connections.
  constexpr int kLowest = 20000, kCount = 12000;
  const int64_t step = read_int("SLURM_JOB_ID", 0) + int64_t{4001} * read_int("SLURM_STEP_ID", 0);
  env.master_port = read_port(kLowest + static_cast<int>(step % kCount));
  return env;
}

}  // namespace

LaunchEnv read_launch_env() {
  const char* const start = "start with torchrun, or unset them to train in one process";
  if (all_set({"RANK", "WORLD_SIZE", "LOCAL_RANK"}, start)) return from_torchrun();
  if (!std::getenv("SLURM_STEP_NUM_TASKS") && !std::getenv("SLURM_STEP_NODELIST")) return {};
  all_set({"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_NODELIST"},
          "start with srun, or unset them to train in one process");
  return from_slurm();
}

LaunchEnv simulated_rank(int rank, int world) {
  WF_CHECK(world > 0 && rank >= 0 && rank < world, "rank ", rank, " of ", world,
           " processes: expected a rank below their number");
  LaunchEnv env;
  env.rank = rank;
  env.world = world;
  env.launcher = Launcher::simulated;
  return env;
}

std::string first_slurm_host(const std::string& nodelist) {
  const auto stop = nodelist.find_first_of("[,");
  std::string host = nodelist.substr(0, stop);
  if (stop != std::string::npos && nodelist[stop] == '[') {
    const auto close = nodelist.find(']', stop);
    const auto number = nodelist.find_first_of("-,]", stop + 1);
    WF_CHECK(close != std::string::npos && number > stop + 1, "SLURM_STEP_NODELIST='", nodelist,
             "': cannot be read; set MASTER_ADDR to the host of rank 0");
    host += nodelist.substr(stop + 1, number - stop - 1);
    // A suffix after the brackets belongs to the name: "rack[1-2]node".
    const auto end = nodelist.find_first_of("[,", close + 1);
    host += nodelist.substr(close + 1, end == std::string::npos ? end : end - close - 1);
    WF_CHECK(end == std::string::npos || nodelist[end] == ',', "SLURM_STEP_NODELIST='", nodelist,
             "': two bracketed parts in a name; set MASTER_ADDR to the host of rank 0");
  }
  WF_CHECK(!host.empty(), "SLURM_STEP_NODELIST='", nodelist, "': names no host; set MASTER_ADDR");
  return host;
}

int pick_gpu(const LaunchEnv& env, int visible) {
  WF_CHECK(visible > 0, "no GPU is visible to rank ", env.rank);
  if (visible == 1 && env.launcher == Launcher::slurm) return 0;
  WF_CHECK(env.local_rank < visible, "local rank ", env.local_rank,
           " has no GPU of its own: ", visible,
           " visible here; start at most that many processes per machine");
  return env.local_rank;
}

}  // namespace wf
