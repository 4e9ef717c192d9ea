#include "runtime/available_memory.h"

#include "weightformer/core/check.h"

#include "runtime/control_groups.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace wf {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// The number of a file; "max", which stands for no limit, and a missing file: `otherwise`.
double number_in(const std::string& path, double otherwise) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? number : otherwise;
}

// The number after `word` in lines of words and numbers; `otherwise` when there is none.
double number_after(const std::string& word, const std::string& path, double otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream parts(line);
    std::string first;
    double number = 0;
    if (parts >> first >> number && first == word) return number;
  }
  return otherwise;
}

// What one control group leaves, in either version of the interface. Pages of files that were read
// count as used, and can be dropped.
double left_in(const std::string& group, bool second) {
  const auto limit =
      number_in(group + (second ? "/memory.max" : "/memory.limit_in_bytes"), kUnlimited);
  const auto used = number_in(group + (second ? "/memory.current" : "/memory.usage_in_bytes"), 0);
  const auto cached =
      number_after(second ? "inactive_file" : "total_inactive_file", group + "/memory.stat", 0);
  return std::max(0.0, limit - std::max(0.0, used - cached));
}

double left_in_groups(const MemoryPlaces& places) {
  double left = kUnlimited;
  for_each_control_group(places.proc + "/self/cgroup", "memory", places.cgroup,
                         [&](const std::string& group, bool second) {
                           left = std::min(left, left_in(group, second));
                         });
  return left;
}

double left_of_address_space(const std::string& proc) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const double used = 1024 * number_after("VmSize:", proc + "/self/status", 0);
  return std::max(0.0, static_cast<double>(limit.rlim_cur) - used);
}

}  // namespace

double available_memory(const MemoryPlaces& places) {
  const double machine = 1024 * number_after("MemAvailable:", places.proc + "/meminfo", kUnlimited);
  const double left =
      std::min({machine, left_in_groups(places), left_of_address_space(places.proc)});
  WF_CHECK(left < kUnlimited, places.proc, "/meminfo: does not tell how much memory is available");
  return left;
}

}  // namespace wf
