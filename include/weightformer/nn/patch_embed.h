#pragma once

#include "weightformer/ops/grid.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <utility>

namespace wf {

struct PatchEmbedOptions {
  PatchEmbedOptions(int64_t patch, int64_t channels, int64_t dim)
      : patch_(patch), channels_(channels), dim_(dim) {}
  TORCH_ARG(int64_t, patch);     ///< side of a patch, pixels
  TORCH_ARG(int64_t, channels);  ///< of the image
  TORCH_ARG(int64_t, dim);       ///< of a token
};

/// Splits an image into patches and embeds each as a token. Parameters: proj (Conv2d).
class PatchEmbedImpl : public torch::nn::Cloneable<PatchEmbedImpl> {
 public:
  explicit PatchEmbedImpl(PatchEmbedOptions options);
  void reset() override;

  /// image: [B, channels, H, W] → tokens [B, (H/patch)*(W/patch), dim] and their grid.
  /// Pixels beyond the last complete patch are ignored.
  std::pair<at::Tensor, Grid> forward(const at::Tensor& image);

  PatchEmbedOptions options;
  torch::nn::Conv2d proj{nullptr};
};
TORCH_MODULE(PatchEmbed);

}  // namespace wf
