// How long a data-parallel step takes on N GPUs, on paper: see docs/distributed.md.
#pragma once

#include <cstdint>

namespace wf {

/// A cluster of equal nodes. Times in seconds, bandwidths in bytes a second.
struct Fabric {
  int gpus_per_node = 8;
  double base = 8.4e-6;        ///< of every collective
  double alpha_node = 3.4e-6;  ///< a hop inside a node
  double alpha_net = 14e-6;    ///< a hop between nodes
  double beta_node = 360e9;    ///< of each GPU inside a node, all sending at once
  double beta_net = 320e9;     ///< of a node to the others, all its network cards together
};

/// What a process computes in a step, and what it sends.
struct StepCost {
  double forward = 0, backward = 0, rest = 0;  ///< seconds; rest: clipping, optimizer, …
  double bytes = 0;                            ///< of gradients
  double bucket_bytes = 25 << 20;
};

/// Seconds of one all-reduce of `bytes` over `gpus`: the better of a ring over all GPUs and a tree
/// over the nodes with a chain inside each. The formulas are those by which NCCL itself chooses
/// (ncclTopoTuneModel in src/graph/tuning.cc), with one bandwidth for both.
double all_reduce_seconds(const Fabric& fabric, int gpus, double bytes);

struct StepEstimate {
  double seconds = 0;     ///< of a step
  double exchange = 0;    ///< of all its all-reduces, one after the other
  double exposed = 0;     ///< of these, after the backward pass has ended
  double efficiency = 0;  ///< of what the same GPUs would do without an exchange, 0…1
};

/// A bucket leaves when its share of the backward pass is over and the one before has arrived.
StepEstimate estimate_step(const Fabric& fabric, int gpus, const StepCost& cost);

}  // namespace wf
