#include "weightformer/models/weightformer.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/block.h"

#include "nn/dropout.h"
#include "nn/generator.h"
#include "nn/init.h"
#include "nn/norm_tokens.h"
#include "nn/products.h"
#include "nn/recompute.h"

#include <algorithm>

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
  const MixerOptions mixers{options.dynamic_linear(), options.linear_predictor(),
                            options.conv_predictor()};
  check_predictors(mixers);  // also of a model without a dynamic block
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < depth; ++i) {
    const double rate = depth == 1 ? 0 : options.drop_path_rate() * i / (depth - 1);
    blocks->push_back(Block(BlockOptions(dim, i).drop_path(rate).mixers(mixers)));
  }
  norm = register_module("norm", torch::nn::LayerNorm(norm_options));
  head = register_module("head", torch::nn::Linear(dim, options.num_classes()));
  init_linears_(*this);
}

std::pair<at::Tensor, Grid> WeightFormerImpl::run_blocks(const at::Tensor& images, int64_t count,
                                                         const Visit& visit) {
  auto [x, grid] = patch_embed->forward(images);
  x = norm_tokens(*init_norm, x.to(token_type(x)));
  const bool recomputes = options.recompute() && is_training();
  BlockLinks links;
  for (int64_t i = 0; i < count; ++i) {
    const auto block = blocks->ptr<BlockImpl>(static_cast<size_t>(i));
    links.normalized = !links.next.is_empty();
    links.next = nullptr;
    // A block that is recomputed must not depend on the parameters of another, and a visitor takes
    // tokens before the next norm.
    if (!recomputes && !visit && i + 1 < count) {
      links.next = blocks->ptr<BlockImpl>(static_cast<size_t>(i + 1))->norm1;
    }
    const auto forward = [block, links, grid = grid](const std::vector<at::Tensor>& inputs) {
      return block->forward_linked(inputs[0], grid, links);
    };
    // Without random draws, no generator state has to be restored.
    const auto& drop_path = *block->drop_path;
    x = recompute_if(recomputes, *block, forward, {x},
                     drop_path.active() ? drop_path.generator_for(x) : at::Generator());
    if (visit) visit(i, x, grid);
  }
  return {x, grid};
}

std::pair<at::Tensor, Grid> WeightFormerImpl::tokens(const at::Tensor& images) {
  const auto [x, grid] = run_blocks(images, options.depth(), nullptr);
  return {norm_tokens(*norm, x), grid};
}

at::Tensor WeightFormerImpl::features(const at::Tensor& images) {
  return tokens(images).first.mean(1);
}

std::vector<at::Tensor> WeightFormerImpl::forward_features(const at::Tensor& images,
                                                           const FeatureOptions& wanted) {
  const int64_t depth = options.depth();
  auto places = wanted.blocks();
  WF_CHECK(!places.empty(), "forward_features: no block is asked for");
  for (auto& block : places) {
    WF_CHECK(block >= -depth && block < depth, "forward_features: block ", block,
             ": this model has the blocks 0 to ", depth - 1, " (or -", depth, " to -1)");
    if (block < 0) block += depth;
  }
  const int64_t last = *std::max_element(places.begin(), places.end());
  std::vector<at::Tensor> grids(places.size());
  run_blocks(images, last + 1, [&](int64_t block, const at::Tensor& tokens, Grid grid) {
    for (size_t k = 0; k < places.size(); ++k) {
      if (places[k] != block) continue;
      const auto values = wanted.norm() ? norm_tokens(*norm, tokens) : tokens;
      grids[k] = values.reshape({values.size(0), grid.height, grid.width, values.size(2)});
    }
  });
  return grids;
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
