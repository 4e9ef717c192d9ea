#include "scaling.h"

#include "weightformer/core/check.h"

#include <algorithm>
#include <cmath>

namespace wf {

double all_reduce_seconds(const Fabric& fabric, int gpus, double bytes) {
  WF_CHECK(gpus > 0 && fabric.gpus_per_node > 0, "all_reduce_seconds: ", gpus, " GPUs, ",
           fabric.gpus_per_node, " a node: expected at least one of each");
  WF_CHECK(gpus <= fabric.gpus_per_node || gpus % fabric.gpus_per_node == 0,
           "all_reduce_seconds: ", gpus, " GPUs do not fill nodes of ", fabric.gpus_per_node);
  if (gpus == 1) return 0;
  const double local = std::min(gpus, fabric.gpus_per_node);
  const double nodes = gpus / local;
  // The ring crosses every boundary between nodes, spread over the cards of a node.
  const double beta = nodes > 1 ? std::min(fabric.beta_net, fabric.beta_node) : fabric.beta_node;
  const double net_hops = nodes > 1 ? 2 * (nodes - 1) : 0;
  const double ring = (2.0 * (gpus - 1) - net_hops) * fabric.alpha_node +
                      net_hops * fabric.alpha_net + 2.0 * (gpus - 1) / gpus * bytes / beta;
  const double tree = 2 * ((local - 1) * fabric.alpha_node + std::log2(nodes) * fabric.alpha_net) +
                      2 * bytes / beta;
  return fabric.collective_latency + std::min(ring, tree);
}

StepEstimate estimate_step(const Fabric& fabric, int gpus, const StepCost& cost) {
  StepEstimate out;
  const double compute = cost.forward + cost.backward + cost.rest;
  // The first bucket is small, as in DataParallel.
  double sent = 0, free_at = 0;
  for (double next = std::min<double>(1 << 20, cost.bucket_bytes); sent < cost.bytes;
       next = cost.bucket_bytes) {
    const double bytes = std::min(next, cost.bytes - sent);
    sent += bytes;
    const double ready = cost.backward * sent / cost.bytes;
    const double took = all_reduce_seconds(fabric, gpus, bytes);
    free_at = std::max(free_at, ready) + took;
    out.exchange += took;
  }
  out.exposed = std::max(0.0, free_at - cost.backward);
  out.seconds = compute + out.exposed;
  out.efficiency = out.seconds > 0 ? compute / out.seconds : 1;
  return out;
}

}  // namespace wf
