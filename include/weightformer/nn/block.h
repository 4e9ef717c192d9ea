#pragma once

#include "weightformer/nn/drop_path.h"
#include "weightformer/nn/mixers.h"

#include <torch/nn/modules/normalization.h>

namespace wf {

struct BlockOptions {
  BlockOptions(int64_t dim, int64_t layer) : dim_(dim), layer_(layer) {}
  TORCH_ARG(int64_t, dim);           ///< C; the hidden width is 4*C
  TORCH_ARG(int64_t, layer);         ///< its index in the model, from 0
  TORCH_ARG(double, drop_path) = 0;  ///< rate of stochastic depth
  TORCH_ARG(MixerOptions, mixers);
};

/// How a block continues what the blocks before and after it compute.
struct BlockLinks {
  bool normalized = false;             ///< x is the result of norm1 already
  torch::nn::LayerNorm next{nullptr};  ///< norm1 of the next block, to be applied to the result
};

/// One WeightFormer block:
///   x ← norm1(x)  (dynamic layers only; it replaces x, so the residual is normalized too)
///   x ← x + dwc(x)
///   x ← x + drop_path(linear2(gelu(linear1(norm2(x)))))
class BlockImpl : public torch::nn::Cloneable<BlockImpl> {
 public:
  explicit BlockImpl(BlockOptions options);
  void reset() override;

  /// x: [B, H*W, C] → [B, H*W, C].
  at::Tensor forward(at::Tensor x, Grid grid);

  /// The same between other blocks: the last sum and the norm of the next block are one pass.
  at::Tensor forward_linked(at::Tensor x, Grid grid, const BlockLinks& links);

  BlockOptions options;
  torch::nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  Mixers mixers;
  DropPath drop_path{nullptr};
};
TORCH_MODULE(Block);

}  // namespace wf
