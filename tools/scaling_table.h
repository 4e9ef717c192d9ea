// The table of wf_scale for one model.
#pragma once

#include "scaling.h"

#include <string>
#include <vector>

namespace wf {

struct ScalingOptions {
  std::string model = "wfm_small", bench;
  int batch = 0;
  double tflops = 0, forward_ms = 0, backward_ms = 0, rest_ms = 0;
  double bytes_per_gradient = 4, bucket_mb = 0;
  Fabric fabric;
  double node_gb = 360, net_gb = 320;
  std::vector<int> gpus{1, 8, 16, 64, 256, 1024};
};

/// The models with a known cost of a step, separated by commas.
std::string scaling_models();

/// Prints step time and efficiency by number of GPUs. Throws wf::Error in one line.
void print_scaling_table(const ScalingOptions& options);

}  // namespace wf
