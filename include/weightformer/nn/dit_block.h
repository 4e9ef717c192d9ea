#pragma once

#include "weightformer/nn/mixers.h"
#include "weightformer/nn/modulate.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <string>

namespace wf {

struct DiTBlockOptions {
  DiTBlockOptions(int64_t dim, int64_t layer) : dim_(dim), layer_(layer) {}
  TORCH_ARG(int64_t, dim);    ///< C; the hidden width is 4*C
  TORCH_ARG(int64_t, layer);  ///< its index in the model, from 0
  TORCH_ARG(MixerOptions, mixers);
};

/// What DiTBlock::forward_normalized returns.
struct DiTBlockResult {
  bool normalized = false;  ///< as the next block takes it, without a pass of its own
};

/// One block of WeightFormer's DiT variant: six vectors come from the condition (adaLN-Zero), and
///   x ← norm(x)  (it replaces x, so the residual is normalized too)
///   x ← x + gate1 * dwc(modulate(x, shift1, scale1))
///   x ← x + gate2 * linear2(gelu(linear1(modulate(norm(x), shift2, scale2))))
/// with LayerNorms without affine parameters and the tanh form of GELU. The second line is one
/// operator. Parameters: adaLN_modulation.1, linear1, dwc, linear2, of the kinds that a Block of
/// the same layer has.
class DiTBlockImpl : public torch::nn::Cloneable<DiTBlockImpl> {
 public:
  explicit DiTBlockImpl(DiTBlockOptions options);
  void reset() override;

  /// x: [B, H*W, C]; condition: [B, C], after SiLU → [B, H*W, C].
  at::Tensor forward(const at::Tensor& x, const at::Tensor& condition, Grid grid);

  /// The same for an x that is normalized already.
  at::Tensor forward_normalized(const at::Tensor& x, const at::Tensor& condition, Grid grid,
                                const DiTBlockResult& result);

  DiTBlockOptions options;
  AdaLN modulation{nullptr};
  Mixers mixers;
};
TORCH_MODULE(DiTBlock);

struct FinalLayerOptions {
  FinalLayerOptions(int64_t dim, int64_t out) : dim_(dim), out_(out) {}
  TORCH_ARG(int64_t, dim);  ///< C
  TORCH_ARG(int64_t, out);  ///< outputs per token
};

/// linear(modulate(norm(x), shift, scale)), shift and scale from the condition. Parameters: linear,
/// adaLN_modulation.1; initialized with zeros.
class FinalLayerImpl : public torch::nn::Cloneable<FinalLayerImpl> {
 public:
  explicit FinalLayerImpl(FinalLayerOptions options);
  void reset() override;

  /// x: [B, N, C]; condition: [B, C], after SiLU → [B, N, out].
  at::Tensor forward(const at::Tensor& x, const at::Tensor& condition);

  FinalLayerOptions options;
  torch::nn::Linear linear{nullptr};
  AdaLN modulation{nullptr};
};
TORCH_MODULE(FinalLayer);

}  // namespace wf
