// Normalisation and modulation as in DiT's adaLN (Peebles and Xie 2022), in its published order.
#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <vector>

namespace wf {

/// x * (1 + scale) + shift, for every token of a sample the same.
/// x: [B, N, C]; shift and scale: [B, C] → [B, N, C].
at::Tensor modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale);

/// Layer normalisation without weight and bias, epsilon 1e-6. x: [B, N, C] → [B, N, C].
at::Tensor plain_norm(const at::Tensor& x);

/// modulate(plain_norm(x), shift, scale) in the dtype of x. Keeps x alone for the backward pass,
/// which normalises it again, where autograd would keep the normalised tensor as well.
at::Tensor modulated_norm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale);

struct AdaLNOptions {
  AdaLNOptions(int64_t dim, int64_t parts) : dim_(dim), parts_(parts) {}
  TORCH_ARG(int64_t, dim);    ///< C
  TORCH_ARG(int64_t, parts);  ///< how many vectors of C it predicts
};

/// Predicts shifts, scales and gates from the condition. Zero when fresh, so that a fresh block
/// passes its input on (adaLN-Zero). Parameters: 1 (Linear C → parts*C), which is its place in the
/// published Sequential, after the SiLU.
class AdaLNImpl : public torch::nn::Cloneable<AdaLNImpl> {
 public:
  explicit AdaLNImpl(AdaLNOptions options);
  void reset() override;

  /// condition: [B, C], past its SiLU (one for all layers) → `parts` tensors [B, C].
  std::vector<at::Tensor> forward(const at::Tensor& condition);

  AdaLNOptions options;
  torch::nn::Linear linear{nullptr};
};
TORCH_MODULE(AdaLN);

}  // namespace wf
