#pragma once

#include <cstdint>
#include <string>

namespace wf {

/// simulated: this process stands for one rank of a run whose other ranks do not exist.
enum class Launcher { none, torchrun, slurm, simulated };

/// Rank of this process, world size and rendezvous address.
struct LaunchEnv {
  int rank = 0;         ///< among all processes
  int world = 1;        ///< number of processes
  int local_rank = 0;   ///< on this machine; selects the GPU
  int local_world = 1;  ///< number of processes on this machine; 1 if the launcher does not tell
  Launcher launcher = Launcher::none;

  std::string master_addr;   ///< host of rank 0; empty for a single process
  uint16_t master_port = 0;  ///< of the key-value store there
  bool agent_store = false;  ///< torchrun serves that store itself; otherwise rank 0 does
  int restart = 0;           ///< how often the launcher has restarted this run
};

/// From the environment, in this order:
///
/// 1. torchrun: RANK, WORLD_SIZE, LOCAL_RANK, and with more than one process MASTER_ADDR and
///    MASTER_PORT; optional TORCHELASTIC_USE_AGENT_STORE, TORCHELASTIC_RESTART_COUNT.
/// 2. srun: SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID, SLURM_STEP_NODELIST. The first node
///    of the list is the rendezvous host, at a port derived from SLURM_JOB_ID and SLURM_STEP_ID;
///    MASTER_ADDR and MASTER_PORT override them. (A batch script that does not use srun has no
///    SLURM_STEP_* and is one process.)
/// 3. None of these: a single process.
///
/// Throws wf::Error when only some are set or a value makes no sense.
LaunchEnv read_launch_env();

/// Rank `rank` of a simulated run of `world` processes, each with a machine of its own.
LaunchEnv simulated_rank(int rank, int world);

/// The first host of SLURM's compressed list: "gpu[003-005,9],login" → "gpu003". Throws wf::Error
/// when it cannot be read. Format: man scontrol, "show hostnames".
std::string first_slurm_host(const std::string& nodelist);

/// The GPU of this process among `visible` ones: that of its local rank, or the only one if the
/// launcher shows each process its own. Throws wf::Error when there are too few.
int pick_gpu(const LaunchEnv& env, int visible);

}  // namespace wf
