#include "diffusion/flow_process.h"

#include <torch/types.h>

namespace wf {

DiffusionLoss FlowProcess::loss(const Denoiser& denoise, const at::Tensor& x0,
                                const at::Tensor& noise, const at::Tensor& t,
                                const at::Tensor& labels) const {
  const auto at = t.view({-1, 1, 1, 1});
  const auto output = denoise((1 - at) * x0 + at * noise, kModelTime * t, labels);
  const auto mse = (noise - x0 - output).square().flatten(1).mean(1);
  return {mse, mse, {}};
}

}  // namespace wf
