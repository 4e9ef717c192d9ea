// Modulation as in DiT's adaLN (Peebles and Xie 2022). ops/layer_norm.h fuses it with the norm.
#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <vector>

namespace wf {

/// x * (1 + scale) + shift, the same for every token of a sample.
/// x: [B, N, C]; shift and scale: [B, C] → [B, N, C].
at::Tensor modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale);

struct AdaLNOptions {
  AdaLNOptions(int64_t dim, int64_t parts) : dim_(dim), parts_(parts) {}
  TORCH_ARG(int64_t, dim);    ///< C
  TORCH_ARG(int64_t, parts);  ///< number of vectors of C to predict
};

/// Predicts shifts, scales and gates from the condition. Initialized with zeros, so that a new
/// block is the identity (adaLN-Zero). Parameters: 1 (Linear C → parts*C), its index in the
/// original's Sequential, after the SiLU.
class AdaLNImpl : public torch::nn::Cloneable<AdaLNImpl> {
 public:
  explicit AdaLNImpl(AdaLNOptions options);
  void reset() override;

  /// condition: [B, C], after SiLU (shared by all layers) → `parts` tensors [B, C].
  std::vector<at::Tensor> forward(const at::Tensor& condition);

  AdaLNOptions options;
  torch::nn::Linear linear{nullptr};
};
TORCH_MODULE(AdaLN);

}  // namespace wf
