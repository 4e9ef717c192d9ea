// The control groups of Linux that a process belongs to.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace wf {

/// Calls visit(directory, version 2) for the group of the process that `list` (/proc/self/cgroup)
/// names for `controller`, and for each group above it; `root` is /sys/fs/cgroup. Limits of all of
/// them hold.
template <typename Visit>
void for_each_control_group(const std::string& list, const std::string& controller,
                            const std::string& root, const Visit& visit) {
  std::ifstream file(list);
  for (std::string line; std::getline(file, line);) {
    // "0::/user.slice" or, in version 1, "4:cpu,cpuacct:/docker/1f"
    std::istringstream parts(line);
    std::string number, controllers, path;
    std::getline(parts, number, ':');
    std::getline(parts, controllers, ':');
    std::getline(parts, path);
    const bool second = controllers.empty();
    if (!second && ("," + controllers + ",").find("," + controller + ",") == std::string::npos) {
      continue;
    }
    const auto mount = second ? root : root + "/" + controller;
    for (auto group = path;; group = group.substr(0, group.rfind('/'))) {
      visit(mount + group, second);
      if (group.find('/') == std::string::npos) break;
    }
  }
}

}  // namespace wf
