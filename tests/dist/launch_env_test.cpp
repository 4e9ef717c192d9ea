#include "weightformer/dist/launch_env.h"

#include "weightformer/core/check.h"

#include <gtest/gtest.h>

#include <stdlib.h>

namespace wf::testing {
namespace {

class LaunchEnvTest : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK"}) ::unsetenv(name);
  }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }
  static std::string error() {
    try {
      read_launch_env();
    } catch (const Error& problem) {
      return problem.what();
    }
    return "";
  }
};

TEST_F(LaunchEnvTest, NothingSetIsOneProcess) { EXPECT_EQ(read_launch_env().world, 1); }

TEST_F(LaunchEnvTest, TorchrunsVariablesAreRead) {
  set("RANK", "5");
  set("WORLD_SIZE", "8");
  set("LOCAL_RANK", "1");
  const auto env = read_launch_env();
  EXPECT_EQ(env.rank, 5);
  EXPECT_EQ(env.world, 8);
  EXPECT_EQ(env.local_rank, 1);
}

TEST_F(LaunchEnvTest, HalfALaunchIsAnError) {
  set("RANK", "0");
  EXPECT_NE(error().find("RANK set but not WORLD_SIZE, LOCAL_RANK"), std::string::npos) << error();
}

TEST_F(LaunchEnvTest, ValuesThatMakeNoSenseAreErrors) {
  set("RANK", "2");
  set("WORLD_SIZE", "2");
  set("LOCAL_RANK", "0");
  EXPECT_NE(error().find("not below WORLD_SIZE"), std::string::npos) << error();
  set("RANK", "two");
  EXPECT_NE(error().find("RANK='two'"), std::string::npos) << error();
}

}  // namespace
}  // namespace wf::testing
