// How many CPU threads a process uses, and how they wait for each other.
#pragma once

#include <string>

namespace wf {

/// Lets OpenMP threads that wait spin only briefly, unless OMP_WAIT_POLICY or GOMP_SPINCOUNT is
/// set. By default they spin so long that a run beside another process is several times slower;
/// without spinning an idle machine loses a third of its speed (docs/performance.md). Call it first
/// in main(): as libgomp reads its settings before main(), it replaces the process by a new one of
/// the same program, with `argv`.
void choose_waiting_policy(char** argv);

/// The waiting policy in words, for the log.
std::string waiting_policy();

/// The CPUs that the control group in the file `own_group` (/proc/self/cgroup) and those around it
/// grant, by the quotas below `root` (/sys/fs/cgroup), as of a container; 0: no limit.
double cpu_quota(const std::string& root, const std::string& own_group);

/// CPU threads for each of `processes` on this machine, at least 1: the CPUs that this process may
/// run on, by its affinity and its control group, divided among them.
int threads_per_process(int processes);

/// Sets LibTorch's number of threads to `threads`; 0: to threads_per_process(processes), unless
/// OMP_NUM_THREADS or MKL_NUM_THREADS is set.
void set_threads(int threads, int processes);

}  // namespace wf
