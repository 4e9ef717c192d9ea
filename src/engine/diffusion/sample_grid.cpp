#include "engine/diffusion/sample_grid.h"

#include "engine/diffusion/sampling.h"

#include <torch/types.h>

namespace wf {

at::Tensor displayed(const at::Tensor& samples, bool latents) {
  if (!latents) return to_bytes(samples);
  const auto shown = samples.narrow(1, 0, samples.size(1) >= 3 ? 3 : 1);
  const auto least = shown.amin({0, 2, 3}, /*keepdim=*/true);
  const auto most = shown.amax({0, 2, 3}, /*keepdim=*/true);
  return ((shown - least) / (most - least).clamp_min(1e-6) * 255).to(torch::kByte);
}

}  // namespace wf
