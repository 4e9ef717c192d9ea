#include "runtime/available_memory.h"

#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

class AvailableMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(root_ / "proc/meminfo", "MemTotal: 900 kB\nMemAvailable: 500 kB\n");
    write_file(root_ / "proc/self/cgroup", "0::/job/step\n");
  }
  void group(const std::string& path, const std::string& file, const std::string& text) const {
    write_file(root_ / ("cgroup/" + path + "/" + file), text);
  }
  double bytes() const { return available_memory({root_ / "proc", root_ / "cgroup"}); }
  TempDir root_;
};

TEST_F(AvailableMemory, IsWhatTheMachineHasWithoutALimit) {
  group("job", "memory.max", "max\n");
  EXPECT_EQ(bytes(), 500 * 1024);
}

TEST_F(AvailableMemory, IsWhatTheStrictestGroupLeaves) {
  group("job/step", "memory.max", "max\n");
  group("job", "memory.max", "300000\n");
  group("job", "memory.current", "200000\n");
  EXPECT_EQ(bytes(), 100000);
  // Pages of files can be dropped.
  group("job", "memory.stat", "active_file 7\ninactive_file 50000\n");
  EXPECT_EQ(bytes(), 150000);
  group("job", "memory.current", "400000\n");
  EXPECT_EQ(bytes(), 0) << "never negative";
}

TEST_F(AvailableMemory, IsReadFromTheFirstVersionOfTheInterface) {
  write_file(root_ / "proc/self/cgroup", "5:cpu:/docker\n4:memory:/docker\n");
  group("memory/docker", "memory.limit_in_bytes", "100000\n");
  group("memory/docker", "memory.usage_in_bytes", "40000\n");
  EXPECT_EQ(bytes(), 60000);
}

TEST_F(AvailableMemory, IsAnErrorWhereNothingIsKnown) {
  const MemoryPlaces nowhere{root_ / "none", root_ / "none"};
  EXPECT_TRUE(has(error_of([&] { available_memory(nowhere); }), "how much memory is available"));
  EXPECT_GT(available_memory(), 0) << "of this machine";
}

}  // namespace
}  // namespace wf::testing
