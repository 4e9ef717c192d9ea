#include "weightformer/models/weightformer.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/block.h"

#include "nn/dropout.h"
#include "nn/generator.h"
#include "nn/init.h"
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

std::pair<at::Tensor, Grid> WeightFormerImpl::tokens(const at::Tensor& images) {
  auto [x, grid] = patch_embed->forward(images);
  x = init_norm->forward(x);
  for (const auto& module : *blocks) {
    const auto block = std::dynamic_pointer_cast<BlockImpl>(module);
    const auto forward = [block, grid = grid](const std::vector<at::Tensor>& inputs) {
      return block->forward(inputs[0], grid);
    };
    // Without random draws, no generator state has to be restored.
    const auto& drop_path = *block->drop_path;
    x = recompute_if(options.recompute() && is_training(), *block, forward, {x},
                     drop_path.active() ? drop_path.generator_for(x) : at::Generator());
  }
  return {norm->forward(x), grid};
}

at::Tensor WeightFormerImpl::features(const at::Tensor& images) {
  return tokens(images).first.mean(1);
}

at::Tensor WeightFormerImpl::forward(const at::Tensor& images) {
  auto features = this->features(images);
  if (options.drop_rate() > 0 && is_training()) {
    const auto draws = generator_or_default(generator_, features.device());
    features = dropout(features, features.sizes(), options.drop_rate(), draws);
  }
  return head->forward(features);
}

void WeightFormerImpl::set_generator(const at::Generator& generator) {
  generator_ = generator;
  for (const auto& block : *blocks) block->as<Block>()->drop_path->generator = generator;
}

int64_t WeightFormerImpl::layer_index(const std::string& parameter) const {
  return layer_by_block(parameter, {"patch_embed.", "init_norm."}, options.depth());
}

}  // namespace wf
