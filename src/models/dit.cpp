#include "weightformer/models/dit.h"

#include "weightformer/core/check.h"
#include "weightformer/ops/layer_norm.h"

#include "core/text.h"
#include "nn/products.h"
#include "nn/recompute.h"
#include "nn/sincos_position.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>
#include <torch/nn/init.h>

#include <cmath>

namespace wf {

DiTImpl::DiTImpl(const DiTOptions& options) : options(options) {
  const int64_t dim = options.dim(), patch = options.patch_size();
  WF_CHECK(dim > 0 && dim % 4 == 0 && options.depth() > 0 && options.channels() > 0,
           "DiT: dim must be a positive multiple of 4, depth and channels positive, got ", dim,
           ", ", options.depth(), ", ", options.channels());
  WF_CHECK(patch > 0 && options.latent_size() > 0 && options.latent_size() % patch == 0,
           "DiT: latent_size must be a multiple of patch_size, got ", options.latent_size(),
           " and ", patch);
  const int64_t side = options.latent_size() / patch;
  // A parameter, as in the original: it counts in the optimizer's state.
  pos_embed = register_parameter("pos_embed", sincos_position(dim, {side, side}).unsqueeze(0),
                                 /*requires_grad=*/false);
  x_embedder =
      register_module("x_embedder", PatchEmbed(PatchEmbedOptions(patch, options.channels(), dim)));
  t_embedder = register_module("t_embedder", TimestepEmbedder(TimestepEmbedderOptions(dim)));
  y_embedder =
      register_module("y_embedder", LabelEmbedder(LabelEmbedderOptions(options.num_classes(), dim)
                                                      .drop(options.label_drop())
                                                      .drops_itself(options.drops_labels())));
  const MixerOptions mixers{options.dynamic_linear(), options.linear_predictor(),
                            options.conv_predictor()};
  check_predictors(mixers);  // also of a model without a dynamic block
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.depth(); ++i) {
    blocks->push_back(DiTBlock(DiTBlockOptions(dim, i).mixers(mixers)));
  }
  final_layer = register_module("final_layer",
                                FinalLayer(FinalLayerOptions(dim, patch * patch * out_channels())));
  initialise();
}

// Initialization beyond that of the layers: Xavier uniform for the linear layers of the blocks and
// for the patch embedding, treated as a linear layer.
void DiTImpl::initialise() {
  const at::NoGradGuard no_grad;
  for (const auto& block : *blocks) {
    for (auto& item : block->named_modules()) {
      auto* linear = item.value()->as<torch::nn::Linear>();
      if (!linear || starts_with(item.key(), "adaLN_modulation")) continue;
      torch::nn::init::xavier_uniform_(linear->weight);
      linear->bias.zero_();
    }
  }
  torch::nn::init::xavier_uniform_(x_embedder->proj->weight.flatten(1));
  x_embedder->proj->bias.zero_();
}

void DiTImpl::check(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) const {
  const int64_t patch = options.patch_size();
  WF_CHECK(x.dim() == 4 && x.size(1) == options.channels(), "DiT: expected latents (B, ",
           options.channels(), ", H, W), got ", x.sizes());
  WF_CHECK(x.size(2) > 0 && x.size(3) > 0 && x.size(2) % patch == 0 && x.size(3) % patch == 0,
           "DiT: expected latents whose height and width are multiples of the patch, ", patch,
           ", got ", x.sizes());
  WF_CHECK(t.dim() == 1 && t.size(0) == x.size(0), "DiT: expected steps t of shape [", x.size(0),
           "], got ", t.sizes());
  WF_CHECK(y.dim() == 1 && y.size(0) == x.size(0), "DiT: expected labels y of shape [", x.size(0),
           "], got ", y.sizes());
}

at::Tensor DiTImpl::positions(Grid grid, const at::Tensor& tokens) const {
  const int64_t side = options.latent_size() / options.patch_size();
  if (grid.height == side && grid.width == side) return pos_embed;
  return sincos_position(options.dim(), grid, pos_embed.options().device(tokens.device()));
}

at::Tensor DiTImpl::forward(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
  check(x, t, y);
  auto [tokens, grid] = x_embedder->forward(x);
  tokens = tokens + positions(grid, tokens);
  tokens = tokens.to(token_type(tokens));
  const auto condition = operand(at::silu(t_embedder->forward(t) + y_embedder->forward(y)));
  // Each block normalizes its result for the next one, together with its last addition.
  tokens = layer_norm(tokens);
  for (size_t i = 0; i < blocks->size(); ++i) {
    const auto block = std::dynamic_pointer_cast<DiTBlockImpl>(blocks->ptr(i));
    const DiTBlockResult result{/*normalized=*/i + 1 < blocks->size()};
    const auto forward = [block, grid = grid, result](const std::vector<at::Tensor>& inputs) {
      return block->forward_normalized(inputs[0], inputs[1], grid, result);
    };
    tokens = recompute_if(options.recompute() && is_training(), *block, forward,
                          {tokens, condition}, at::Generator());
  }
  const int64_t b = x.size(0), patch = options.patch_size();
  return final_layer->forward(tokens, condition)
      .reshape({b, grid.height, grid.width, patch, patch, out_channels()})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({b, out_channels(), x.size(2), x.size(3)});
}

at::Tensor DiTImpl::forward_guided(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y,
                                   double guidance) {
  constexpr int64_t kGuidedChannels = 3;
  WF_CHECK(x.dim() == 4 && x.size(0) > 0 && x.size(0) % 2 == 0,
           "DiT: guidance takes a doubled batch (2B, C, H, W), got ", x.sizes());
  const auto half = x.narrow(0, 0, x.size(0) / 2);
  const auto out = forward(at::cat({half, half}), t, y);
  const auto halves = out.slice(1, 0, kGuidedChannels).chunk(2);
  const auto guided = halves[1] + (halves[0] - halves[1]) * guidance;
  return at::cat({at::cat({guided, guided}), out.slice(1, kGuidedChannels)}, 1);
}

int64_t DiTImpl::layer_index(const std::string& parameter) const {
  return layer_by_block(parameter, {"pos_embed", "x_embedder.", "t_embedder.", "y_embedder."},
                        options.depth());
}

DiTOptions dit_options(const std::string& name, const std::map<std::string, at::Tensor>& state) {
  auto options = dit_options(name);
  const auto find = [&](const char* tensor, int64_t dims) {
    const auto found = state.find(tensor);
    return found != state.end() && found->second.dim() == dims ? found->second : at::Tensor();
  };
  const auto table = find("y_embedder.embedding_table.weight", 2);
  if (table.defined() && table.size(0) > 1) options.num_classes(table.size(0) - 1);
  const auto patches = find("x_embedder.proj.weight", 4), last = find("final_layer.linear.bias", 1);
  if (!patches.defined()) return options;
  const int64_t channels = patches.size(1), patch = patches.size(2);
  options.channels(channels);
  if (last.defined()) options.learn_sigma(last.size(0) != channels * patch * patch);
  const auto positions = find("pos_embed", 3);
  if (!positions.defined()) return options;
  const auto side = std::llround(std::sqrt(static_cast<double>(positions.size(1))));
  if (side * side == positions.size(1)) options.latent_size(side * patch);
  return options;
}

}  // namespace wf
