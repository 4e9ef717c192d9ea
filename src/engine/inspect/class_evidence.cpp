#include "engine/inspect/class_evidence.h"

#include "engine/eval_mode.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace wf {

ClassEvidence class_evidence(WeightFormerImpl& model, const at::Tensor& images) {
  const EvalMode mode(model);
  const torch::NoGradGuard no_grad;
  const auto wide = [](const at::Tensor& t) { return t.detach().to(torch::kCPU, torch::kDouble); };
  const auto [raw, grid] = model.tokens(images);
  const auto tokens = wide(raw);  // [B, N, dim]
  ClassEvidence out;
  out.bias = wide(model.head->bias);
  out.maps = torch::matmul(wide(model.head->weight), tokens.transpose(1, 2)) /
             static_cast<double>(tokens.size(1));
  out.logits = out.maps.sum(2) + out.bias;
  out.maps = out.maps.unflatten(2, {grid.height, grid.width});
  return out;
}

}  // namespace wf
