#include "weightformer/nn/patch_embed.h"

#include "weightformer/core/check.h"

#include "nn/products.h"

namespace wf {

PatchEmbedImpl::PatchEmbedImpl(PatchEmbedOptions options) : options(options) { reset(); }

void PatchEmbedImpl::reset() {
  const int64_t patch = options.patch();
  proj = register_module(
      "proj",
      torch::nn::Conv2d(
          torch::nn::Conv2dOptions(options.channels(), options.dim(), patch).stride(patch)));
}

std::pair<at::Tensor, Grid> PatchEmbedImpl::forward(const at::Tensor& image) {
  WF_CHECK(image.dim() == 4 && image.size(1) == options.channels() &&
               image.size(2) >= options.patch() && image.size(3) >= options.patch(),
           "PatchEmbed: expected images (B, ", options.channels(), ", H, W) of at least ",
           options.patch(), " x ", options.patch(), " pixels, got ", image.sizes());
  // Channels last, so that the result, [B, dim, H/patch, W/patch], has the memory layout of tokens.
  const auto embedded =
      product_patches(image.contiguous(at::MemoryFormat::ChannelsLast), proj->weight, proj->bias);
  return {embedded.flatten(2).transpose(1, 2), Grid{embedded.size(2), embedded.size(3)}};
}

}  // namespace wf
