#include "dist/launch_env.h"

#include "weightformer/core/check.h"

#include <gtest/gtest.h>

#include <stdlib.h>

#include <map>

namespace wf::testing {
namespace {

using Variables = std::map<std::string, std::string>;

const Variables kTorchrun{{"RANK", "5"},
                          {"WORLD_SIZE", "8"},
                          {"LOCAL_RANK", "1"},
                          {"MASTER_ADDR", "node1"},
                          {"MASTER_PORT", "29500"}};
const Variables kSlurm{{"SLURM_PROCID", "5"},       {"SLURM_STEP_NUM_TASKS", "8"},
                       {"SLURM_LOCALID", "1"},      {"SLURM_STEP_NODELIST", "gpu[003-005],x"},
                       {"SLURM_JOB_ID", "1234567"}, {"SLURM_STEP_ID", "2"}};

class LaunchEnvTest : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const auto& [name, value] : kTorchrun) ::unsetenv(name.c_str());
    for (const auto& [name, value] : kSlurm) ::unsetenv(name.c_str());
    for (const char* name :
         {"TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT", "LOCAL_WORLD_SIZE"}) {
      ::unsetenv(name);
    }
  }
  static void set(const Variables& variables) {
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  }
  static std::string error() {
    try {
      read_launch_env();
    } catch (const Error& problem) {
      return problem.what();
    }
    return "";
  }
};

TEST_F(LaunchEnvTest, NothingSetIsOneProcess) {
  const auto env = read_launch_env();
  EXPECT_EQ(env.world, 1);
  EXPECT_EQ(env.launcher, Launcher::none);
}

TEST_F(LaunchEnvTest, TorchrunsVariablesAreRead) {
  set(kTorchrun);
  auto env = read_launch_env();
  EXPECT_EQ(env.rank, 5);
  EXPECT_EQ(env.world, 8);
  EXPECT_EQ(env.local_rank, 1);
  EXPECT_EQ(env.launcher, Launcher::torchrun);
  EXPECT_EQ(env.master_addr, "node1");
  EXPECT_EQ(env.master_port, 29500);
  EXPECT_FALSE(env.agent_store);
  set({{"TORCHELASTIC_USE_AGENT_STORE", "False"}, {"TORCHELASTIC_RESTART_COUNT", "3"}});
  EXPECT_FALSE(read_launch_env().agent_store);
  EXPECT_EQ(read_launch_env().restart, 3);
  set({{"TORCHELASTIC_USE_AGENT_STORE", "True"}});
  EXPECT_TRUE(read_launch_env().agent_store);
}

TEST_F(LaunchEnvTest, AnIncompleteEnvironmentNamesTheMissingVariables) {
  set({{"RANK", "0"}});
  EXPECT_NE(error().find("RANK is set but WORLD_SIZE, LOCAL_RANK is not"), std::string::npos)
      << error();
  set(kTorchrun);
  ::unsetenv("MASTER_PORT");
  EXPECT_NE(error().find("MASTER_ADDR is set but MASTER_PORT is not"), std::string::npos)
      << error();
  ::unsetenv("MASTER_ADDR");
  EXPECT_NE(error().find("WORLD_SIZE=8 needs MASTER_ADDR"), std::string::npos) << error();
  clear();
  set(kSlurm);
  ::unsetenv("SLURM_LOCALID");
  EXPECT_NE(error().find("but SLURM_LOCALID is not"), std::string::npos) << error();
}

TEST_F(LaunchEnvTest, ValuesThatMakeNoSenseAreErrors) {
  set(kTorchrun);
  set({{"RANK", "8"}});
  EXPECT_NE(error().find("RANK=8 is not below WORLD_SIZE=8"), std::string::npos) << error();
  set({{"RANK", "two"}});
  EXPECT_NE(error().find("RANK='two'"), std::string::npos) << error();
  set({{"RANK", "-1"}});
  EXPECT_NE(error().find("RANK='-1'"), std::string::npos) << error();
  set({{"RANK", "1"}, {"MASTER_PORT", "70000"}});
  EXPECT_NE(error().find("MASTER_PORT=70000"), std::string::npos) << error();
}

TEST_F(LaunchEnvTest, SlurmsVariablesAreRead) {
  set(kSlurm);
  const auto env = read_launch_env();
  EXPECT_EQ(env.rank, 5);
  EXPECT_EQ(env.world, 8);
  EXPECT_EQ(env.local_rank, 1);
  EXPECT_EQ(env.launcher, Launcher::slurm);
  EXPECT_EQ(env.master_addr, "gpu003");
  EXPECT_GE(env.master_port, 20000);
  set({{"SLURM_STEP_ID", "3"}});
  EXPECT_NE(read_launch_env().master_port, env.master_port) << "two steps of one job must not meet";
  set({{"MASTER_ADDR", "10.0.0.1"}, {"MASTER_PORT", "1234"}});
  EXPECT_EQ(read_launch_env().master_addr, "10.0.0.1");
  EXPECT_EQ(read_launch_env().master_port, 1234);
}

TEST_F(LaunchEnvTest, TorchrunInsideSlurmIsTorchrun) {
  set(kSlurm);
  set(kTorchrun);
  EXPECT_EQ(read_launch_env().launcher, Launcher::torchrun);
}

TEST_F(LaunchEnvTest, ABatchScriptWithoutSrunIsOneProcess) {
  set({{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}, {"SLURM_JOB_ID", "7"}});
  EXPECT_EQ(read_launch_env().world, 1);
}

TEST(SlurmHost, IsTheFirstOfTheList) {
  EXPECT_EQ(first_slurm_host("single"), "single");
  EXPECT_EQ(first_slurm_host("a1,a2"), "a1");
  EXPECT_EQ(first_slurm_host("gpu[003-005,9],login"), "gpu003");
  EXPECT_EQ(first_slurm_host("gpu[7]"), "gpu7");
  EXPECT_EQ(first_slurm_host("rack[1-2]n,x[1-2]"), "rack1n");
  for (const char* bad : {"", "gpu[", "gpu[]", "a[1-2]b[3-4]"}) {
    EXPECT_THROW(first_slurm_host(bad), Error) << bad;
  }
}

TEST(PickGpu, TakesTheLocalRanksOrTheOnlyOneThatSlurmShows) {
  LaunchEnv env;
  env.local_rank = 3;
  EXPECT_EQ(pick_gpu(env, 4), 3);
  EXPECT_THROW(pick_gpu(env, 2), Error);
  EXPECT_THROW(pick_gpu(env, 1), Error);
  env.launcher = Launcher::slurm;
  EXPECT_EQ(pick_gpu(env, 1), 0);
  EXPECT_THROW(pick_gpu(env, 0), Error);
}

}  // namespace
}  // namespace wf::testing
