#include "weightformer/models/weightformer.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/block.h"

#include "nn/dropout.h"
#include "nn/generator.h"
#include "nn/init.h"
#include "nn/norm_tokens.h"
#include "nn/products.h"
#include "nn/recompute.h"

namespace wf {

WeightFormerImpl::WeightFormerImpl(const ClassifierOptions& options) : options(options) {
  const int64_t dim = options.dim(), depth = options.depth();
  WF_CHECK(dim > 0 && depth > 0 && options.patch_size() > 0 && options.num_classes() > 0,
           "WeightFormer: dim, depth, patch_size and num_classes must be positive, got ", dim, ", ",
           depth, ", ", options.patch_size(), ", ", options.num_classes());
  WF_CHECK(options.drop_rate() >= 0 && options.drop_rate() < 1,
           "WeightFormer: drop_rate must be in [0, 1), got ", options.drop_rate());
  const auto norm_options = torch::nn::LayerNormOptions({dim}).eps(1e-6);
  patch_embed =
      register_module("patch_embed", PatchEmbed(PatchEmbedOptions(options.patch_size(), 3, dim)));
  init_norm = register_module("init_norm", torch::nn::LayerNorm(norm_options));
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < depth; ++i) {
    const double rate = depth == 1 ? 0 : options.drop_path_rate() * i / (depth - 1);
    blocks->push_back(
        Block(BlockOptions(dim, i).drop_path(rate).dynamic_linear(options.dynamic_linear())));
  }
  norm = register_module("norm", torch::nn::LayerNorm(norm_options));
  head = register_module("head", torch::nn::Linear(dim, options.num_classes()));
  init_linears_(*this);
}

at::Tensor WeightFormerImpl::features(const at::Tensor& images) {
  auto [x, grid] = patch_embed->forward(images);
  x = norm_tokens(*init_norm, x.to(token_type(x)));
  const bool recomputes = options.recompute() && is_training();
  BlockLinks links;
  for (size_t i = 0; i < blocks->size(); ++i) {
    const auto block = std::dynamic_pointer_cast<BlockImpl>(blocks->ptr(i));
    links.normalized = !links.next.is_empty();
    links.next = nullptr;
    // A block that is recomputed must not depend on the parameters of another.
    if (!recomputes && i + 1 < blocks->size()) links.next = blocks[i + 1]->as<Block>()->norm1;
    const auto forward = [block, links, grid = grid](const std::vector<at::Tensor>& inputs) {
      return block->forward_linked(inputs[0], grid, links);
    };
    // Without random draws, no generator state has to be restored.
    const auto& drop_path = *block->drop_path;
    x = recompute_if(recomputes, *block, forward, {x},
                     drop_path.active() ? drop_path.generator_for(x) : at::Generator());
  }
  return norm_tokens(*norm, x).mean(1);
}

at::Tensor WeightFormerImpl::forward(const at::Tensor& images) {
  auto features = this->features(images);
  if (options.drop_rate() > 0 && is_training()) {
    const auto draws = generator_or_default(generator_, features.device());
    features = dropout(features, features.sizes(), options.drop_rate(), draws);
  }
  return product_linear(features, head->weight, head->bias);
}

void WeightFormerImpl::set_generator(const at::Generator& generator) {
  generator_ = generator;
  for (const auto& block : *blocks) block->as<Block>()->drop_path->generator = generator;
}

int64_t WeightFormerImpl::layer_index(const std::string& parameter) const {
  return layer_by_block(parameter, {"patch_embed.", "init_norm."}, options.depth());
}

}  // namespace wf
