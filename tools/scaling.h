// Estimates the time of a data-parallel step on N GPUs: see docs/distributed.md.
#pragma once

#include <cstdint>

namespace wf {

/// A cluster of equal nodes. Times in seconds, bandwidths in bytes per second.
struct Fabric {
  int gpus_per_node = 8;
  double collective_latency = 8.4e-6;  ///< latency of every collective
  double alpha_node = 3.4e-6;          ///< of a hop inside a node
  double alpha_net = 14e-6;            ///< of a hop between nodes
  double beta_node = 360e9;            ///< of each GPU inside a node, all sending at once
  double beta_net = 320e9;             ///< of a node to the others, all its network cards together
};

/// The compute times and the gradient bytes of a process in a step.
struct StepCost {
  double forward = 0, backward = 0, rest = 0;  ///< seconds; rest: clipping, optimizer, …
  double bytes = 0;                            ///< of gradients
  double bucket_bytes = 25 << 20;
};

/// Seconds of one all-reduce of `bytes` over `gpus`: the better of a ring over all GPUs and a tree
/// over the nodes with a chain inside each. The formulas are those that NCCL uses to choose
/// (ncclTopoTuneModel in src/graph/tuning.cc), with one bandwidth for both.
double all_reduce_seconds(const Fabric& fabric, int gpus, double bytes);

struct StepEstimate {
  double seconds = 0;     ///< of a step
  double exchange = 0;    ///< of all its all-reduces, one after the other
  double exposed = 0;     ///< of these, the part after the backward pass
  double efficiency = 0;  ///< relative to the same GPUs without communication, 0…1
};

/// A bucket is reduced when its part of the backward pass and the previous bucket are finished.
StepEstimate estimate_step(const Fabric& fabric, int gpus, const StepCost& cost);

}  // namespace wf
