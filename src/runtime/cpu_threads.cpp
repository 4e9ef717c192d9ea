#include "runtime/cpu_threads.h"

#include "weightformer/core/check.h"

#include "core/parallel.h"
#include "runtime/control_groups.h"

#include <sched.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace wf {
namespace {

constexpr const char* kSpinCount = "GOMP_SPINCOUNT";
constexpr const char* kPolicy = "OMP_WAIT_POLICY";
constexpr const char* kBrief = "1000";

double limit(double a, double b) { return a > 0 && b > 0 ? std::min(a, b) : std::max(a, b); }

// The numbers of a file; "max", which stands for no limit, ends them.
std::vector<double> numbers_in(const std::string& path) {
  std::ifstream file(path);
  std::vector<double> numbers;
  for (double number = 0; file >> number;) numbers.push_back(number);
  return numbers;
}

// Quota and period, each of one control group in either version of the interface; 0: no limit.
double quota_of(const std::string& group) {
  const auto both = numbers_in(group + "/cpu.max");
  if (both.size() == 2 && both[1] > 0) return both[0] / both[1];
  const auto quota = numbers_in(group + "/cpu.cfs_quota_us");
  const auto period = numbers_in(group + "/cpu.cfs_period_us");
  if (quota.empty() || period.empty() || quota[0] <= 0 || period[0] <= 0) return 0;
  return quota[0] / period[0];
}

int cpus_by_affinity() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return at::get_num_threads();
  return CPU_COUNT(&set);
}

}  // namespace

void choose_waiting_policy(char** argv) {
  if (std::getenv(kPolicy) || std::getenv(kSpinCount)) return;
  // Started by naming the dynamic loader, which would be what is executed again.
  if (::getauxval(AT_BASE) == 0) return;
  std::error_code problem;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (problem) return;
  ::setenv(kSpinCount, kBrief, 1);
  ::execv(program.c_str(), argv);
  ::unsetenv(kSpinCount);  // execv() returns only if it failed
}

std::string waiting_policy() {
  const char* policy = std::getenv(kPolicy);
  if (policy) return str(kPolicy, " ", policy);
  const char* spins = std::getenv(kSpinCount);
  return spins ? str(kSpinCount, " ", spins) : "default waiting";
}

double cpu_quota(const std::string& root, const std::string& own_group) {
  double quota = 0;
  for_each_control_group(own_group, "cpu", root, [&](const std::string& group, bool) {
    quota = limit(quota, quota_of(group));
  });
  return quota;
}

int threads_per_process(int processes) {
  const double quota = std::ceil(cpu_quota("/sys/fs/cgroup", "/proc/self/cgroup"));
  const double cpus = limit(cpus_by_affinity(), quota);
  return std::max(1, static_cast<int>(cpus) / std::max(1, processes));
}

void set_threads(int threads, int processes) {
  const bool chosen = std::getenv("OMP_NUM_THREADS") || std::getenv("MKL_NUM_THREADS");
  if (threads == 0 && chosen) return;
  at::set_num_threads(threads > 0 ? threads : threads_per_process(processes));
}

}  // namespace wf
