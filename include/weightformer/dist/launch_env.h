#pragma once

namespace wf {

/// This process's place among those that train together.
struct LaunchEnv {
  int rank = 0;        ///< of all processes
  int world = 1;       ///< how many there are
  int local_rank = 0;  ///< on this machine; picks the GPU
};

/// From torchrun's variables RANK, WORLD_SIZE and LOCAL_RANK; with none of them set, one process
/// alone. Throws wf::Error when only some are set or a value makes no sense.
LaunchEnv read_launch_env();

}  // namespace wf
