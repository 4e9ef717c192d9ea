#pragma once

#include "weightformer/nn/dit_block.h"
#include "weightformer/nn/label_embedder.h"
#include "weightformer/nn/patch_embed.h"
#include "weightformer/nn/timestep_embedder.h"

#include <torch/nn/modules/container/modulelist.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace wf {

struct DiTOptions {
  TORCH_ARG(int64_t, dim) = 384;
  TORCH_ARG(int64_t, depth) = 15;
  TORCH_ARG(int64_t, patch_size) = 2;
  TORCH_ARG(int64_t, latent_size) = 32;  ///< what it is trained on; any size can be denoised
  TORCH_ARG(int64_t, channels) = 4;      ///< of the latents
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(double, label_drop) = 0.1;  ///< see LabelEmbedderOptions; above 0 there is "no class"
  TORCH_ARG(bool, learn_sigma) = true;  ///< the output also says the variance
  TORCH_ARG(std::string, dynamic_linear) = "auto";  ///< see ops/dynamic_linear.h
  /// Training keeps the input of each block alone and computes the rest again in the backward pass.
  TORCH_ARG(bool, recompute) = false;
};

/// WeightFormer as a denoiser in a diffusion process over latents: DiT (Peebles and Xie 2022) with
/// WeightFormer's layers in place of attention. Patches + positions → blocks → final_layer →
/// patches put together. Parameter names are those of the published state dicts; pos_embed, the
/// positions of latent_size, is among them and is not trained.
class DiTImpl : public torch::nn::Module {
 public:
  explicit DiTImpl(const DiTOptions& options);

  /// x: [B, channels, H, W], any H and W that the patch divides; t: [B], steps; y: [B], int64
  /// labels → [B, out_channels, H, W]: the noise, then what tells the variance.
  /// Throws wf::Error when a shape does not fit, or when labels on the CPU are out of range.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y);

  /// Classifier-free guidance on a doubled batch (Ho and Salimans 2022): the first half of y are
  /// the labels, the second half "no class"; of x the first half counts, for both. The first three
  /// channels become unguided + guidance * (labelled - unguided) in both halves, as published; the
  /// others stay what they are. B must be even.
  at::Tensor forward_guided(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y,
                            double guidance);

  int64_t out_channels() const { return options.channels() * (options.learn_sigma() ? 2 : 1); }
  /// The label that means "no class"; only with a label_drop above 0.
  int64_t no_class() const { return options.num_classes(); }

  /// Where training draws the labels to forget from; without it, from the device's default.
  void set_generator(const at::Generator& generator) { y_embedder->generator = generator; }

  DiTOptions options;
  at::Tensor pos_embed;  ///< [1, tokens, dim]
  PatchEmbed x_embedder{nullptr};
  TimestepEmbedder t_embedder{nullptr};
  LabelEmbedder y_embedder{nullptr};
  torch::nn::ModuleList blocks{nullptr};
  FinalLayer final_layer{nullptr};

 private:
  void initialise();
  void check(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) const;
  at::Tensor positions(Grid grid, const at::Tensor& tokens) const;
};
TORCH_MODULE(DiT);

/// What may differ from the named model; 0 keeps what the name says.
struct DiTOverrides {
  int64_t num_classes = 0;
  int64_t dim = 0;
  int64_t depth = 0;
  int64_t patch_size = 0;
  int64_t latent_size = 0;
  int64_t channels = 0;
  double label_drop = 0.1;
  bool learn_sigma = true;
  bool recompute = false;               ///< see DiTOptions
  std::string dynamic_linear = "auto";  ///< how it is computed, see ops/dynamic_linear.h
};

/// Builds `name`, one of dit_names(), with fresh weights drawn from the default generator.
/// Throws wf::Error, listing the known names, for any other.
std::shared_ptr<DiTImpl> create_dit(const std::string& name, const DiTOverrides& overrides = {});

std::vector<std::string> dit_names();

/// Whether `name` is one of dit_names() rather than of classifier_names(); of a misspelt name,
/// whether the nearest known one is.
bool is_dit(const std::string& name);

/// What a state dict says of its model: classes, channels, latent size, learned variance. Assumes
/// that it has "no class". What cannot be told is left as it is by default.
DiTOverrides dit_overrides(const std::map<std::string, at::Tensor>& state);

}  // namespace wf
