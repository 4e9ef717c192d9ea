#pragma once

#include <cstdint>
#include <string>

namespace wf {

/// Where the kernel tells about memory; others in tests.
struct MemoryPlaces {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
};

/// Bytes that this process can still take: what the machine has available, what the limits of its
/// control group and those around it leave, and what `ulimit -v` leaves; the least of these.
/// Throws wf::Error where none is known.
double available_memory(const MemoryPlaces& places = {});

}  // namespace wf
