#include "diffusion/process.h"

#include "diffusion/flow_process.h"
#include "diffusion/gaussian_process.h"

namespace wf {

std::unique_ptr<DiffusionProcess> make_process(const ProcessOptions& options) {
  if (options.kind == ProcessKind::flow) return std::make_unique<FlowProcess>();
  return std::make_unique<GaussianProcess>(options);
}

}  // namespace wf
