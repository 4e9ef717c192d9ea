#include "diffusion/process.h"

#include "diffusion/flow_process.h"
#include "diffusion/gaussian_process.h"

namespace wf {

std::unique_ptr<DiffusionProcess> make_process(const ProcessOptions& options) {
  if (options.kind == ProcessKind::flow) return std::make_unique<FlowProcess>();
  return std::make_unique<GaussianProcess>(options);
}

double noise_time(const ProcessOptions& options) {
  if (options.kind == ProcessKind::flow) return FlowProcess::kModelTime;
  return static_cast<double>(options.steps);
}

}  // namespace wf
