#include "engine/inspect/predicted_weights.h"

#include "weightformer/nn/block.h"

#include "engine/eval_mode.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace wf {
namespace {

at::Tensor wide(const at::Tensor& t) { return t.detach().to(torch::kCPU, torch::kDouble); }

// Of the dynamic convolution, from its input x: [1, N, C].
void add_kernels(DynamicConvImpl& layer, const at::Tensor& x, Grid grid, PredictedWeights& out) {
  out.static_kernels = wide(layer.w).squeeze(1);
  const auto kernel = layer.predict(x, grid);
  if (!kernel) return;
  const auto k = wide(*kernel)[0];
  out.kernels = k / (k.norm(2, {1, 2}, /*keepdim=*/true) + 1);
}

// Of the dynamic linear layer, from its input x: [1, N, C].
void add_weight(DynamicLinearImpl& layer, const at::Tensor& x, Grid grid, PredictedWeights& out) {
  out.static_norm = wide(layer.w).norm().item<double>();
  const auto factors = layer.predict(x, grid);
  if (!factors) return;
  const auto left = wide(factors->left)[0], right = wide(factors->right)[0];
  const double scale =
      1 / (std::sqrt(static_cast<double>(layer.options.in())) * static_cast<double>(x.size(1)));
  const auto p = torch::matmul(left.t(), right) * scale;  // [C, D]
  out.column_gains = 1 / (p.norm(2, 0) + 1);
  out.singular_values = torch::linalg_svdvals(p * out.column_gains);
  out.effective_rank = effective_rank(out.singular_values);
  out.rank_bound = static_cast<double>(std::min({left.size(0), p.size(0), p.size(1)}));
}

}  // namespace

double effective_rank(const at::Tensor& singular_values) {
  const auto values = singular_values.to(torch::kDouble);
  const double sum = values.sum().item<double>();
  if (!(sum > 0)) return 0;
  const auto parts = values / sum;
  return std::exp(-torch::xlogy(parts, parts).sum().item<double>());
}

std::vector<PredictedWeights> predicted_weights(WeightFormerImpl& model, const at::Tensor& image) {
  const EvalMode mode(model);
  const torch::NoGradGuard no_grad;
  std::vector<PredictedWeights> all;
  auto [x, grid] = model.patch_embed->forward(image);
  x = model.init_norm->forward(x);
  for (const auto& module : *model.blocks) {
    auto& block = *std::dynamic_pointer_cast<BlockImpl>(module);
    if (block.mixers.dynamic()) {
      auto& out = all.emplace_back();
      out.block = block.options.layer();
      const auto normed = block.norm1->forward(x);
      add_kernels(*block.mixers.dynamic_dwc(), normed, grid, out);
      DwconvOptions fusion;
      fusion.residual = true;
      const auto mixed = block.mixers.convolve(normed, grid, fusion);
      add_weight(*block.mixers.dynamic_linear1(), block.norm2->forward(mixed), grid, out);
    }
    x = block.forward(x, grid);
  }
  return all;
}

}  // namespace wf
