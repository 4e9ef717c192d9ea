#include "runtime/cpu_threads.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace wf::testing {
namespace {

class CpuQuota : public ::testing::Test {
 protected:
  void group(const std::string& path, const std::string& file, const std::string& text) const {
    write_file(root_ / (path + "/" + file), text);
  }
  double quota(const std::string& own_group) const {
    write_file(root_ / "own_group", own_group);
    return cpu_quota(root_.path(), root_ / "own_group");
  }
  TempDir root_;
};

TEST_F(CpuQuota, IsThatOfTheStrictestGroupAroundTheProcess) {
  group("job/step", "cpu.max", "max 100000\n");
  group("job", "cpu.max", "250000 100000\n");
  group("", "cpu.max", "800000 100000\n");
  EXPECT_EQ(quota("0::/job/step\n"), 2.5);
}

TEST_F(CpuQuota, IsReadFromTheFirstVersionOfTheInterface) {
  group("cpu/docker/1f", "cpu.cfs_quota_us", "150000\n");
  group("cpu/docker/1f", "cpu.cfs_period_us", "100000\n");
  group("cpu/docker", "cpu.cfs_quota_us", "-1\n");
  group("cpu/docker", "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota("5:cpuset:/docker/1f\n4:cpu,cpuacct:/docker/1f\n"), 1.5);
}

TEST_F(CpuQuota, IsZeroWithoutALimit) {
  group("job", "cpu.max", "max 100000\n");
  EXPECT_EQ(quota("0::/job\n"), 0);
  EXPECT_EQ(quota("0::/elsewhere\n"), 0);
  EXPECT_EQ(quota("nonsense\n"), 0);
  EXPECT_EQ(cpu_quota(root_.path(), "/none"), 0);
}

TEST(ThreadsPerProcess, DividesTheCpusAndIsAtLeastOne) {
  const int all = threads_per_process(1);
  EXPECT_GE(all, 1);
  EXPECT_EQ(threads_per_process(2), std::max(1, all / 2));
  EXPECT_EQ(threads_per_process(100000), 1);
}

}  // namespace
}  // namespace wf::testing
