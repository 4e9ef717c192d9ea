#pragma once

#include "weightformer/models/model.h"
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
  TORCH_ARG(int64_t, latent_size) = 32;  ///< size in training; any size can be denoised
  TORCH_ARG(int64_t, channels) = 4;      ///< of the latents
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(double, label_drop) = 0.1;  ///< see LabelEmbedderOptions; above 0 there is a null class
  TORCH_ARG(bool, drops_labels) = true;  ///< see LabelEmbedderOptions::drops_itself
  TORCH_ARG(bool, learn_sigma) = true;   ///< also predict the variance (doubles out_channels)
  TORCH_ARG(std::string, dynamic_linear) = "auto";         ///< see ops/dynamic_linear.h
  TORCH_ARG(std::string, linear_predictor) = "bilateral";  ///< see nn/dynamic_linear.h
  TORCH_ARG(std::string, conv_predictor) = "adaptive";     ///< see nn/dynamic_conv.h
  /// Activation checkpointing: blocks store only their input and are recomputed in the backward
  /// pass.
  TORCH_ARG(bool, recompute) = false;
};

/// WeightFormer as a denoiser of latents: DiT (Peebles and Xie 2022) with WeightFormer's layers
/// instead of attention. Patches + positions → blocks → final_layer → unpatchify. Parameter names
/// are those of the original; pos_embed, the positions for latent_size, is among them and is not
/// trained.
class DiTImpl : public Model {
 public:
  explicit DiTImpl(const DiTOptions& options);

  /// x: [B, channels, H, W], any H and W that the patch divides; t: [B], steps; y: [B], int64
  /// labels → [B, out_channels, H, W]: the noise, then the variance parameters.
  /// Throws wf::Error when a shape does not fit, or when labels on the CPU are out of range.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y);

  /// Classifier-free guidance on a doubled batch (Ho and Salimans 2022): the first half of y are
  /// the labels, the second half the null class; the first half of x is used for both. The first
  /// three channels become unguided + guidance * (labelled - unguided) in both halves, as in the
  /// original; the others are unchanged. B must be even.
  at::Tensor forward_guided(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y,
                            double guidance);

  int64_t out_channels() const { return options.channels() * (options.learn_sigma() ? 2 : 1); }
  /// The label of the null class; only with a label_drop above 0.
  int64_t null_class() const { return options.num_classes(); }

  /// For label dropout in training.
  void set_generator(const at::Generator& generator) override { y_embedder->generator = generator; }
  std::vector<std::string> head_names() const override { return {"y_embedder.embedding_table."}; }
  int64_t layer_index(const std::string& parameter) const override;

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

/// The options of `name`, to be changed and given to DiT. Throws wf::Error, listing the known
/// names, unless it is one of dit_names().
DiTOptions dit_options(const std::string& name);

/// The same, with the values that a state dict implies instead of those of the named model:
/// classes, channels, latent size, learned variance. Assumes that it has a null class.
DiTOptions dit_options(const std::string& name, const std::map<std::string, at::Tensor>& state);

/// Builds `name`, one of dit_names(), with random weights drawn from the default generator.
/// Throws wf::Error, listing the known names, for any other.
std::shared_ptr<DiTImpl> create_dit(const std::string& name);

std::vector<std::string> dit_names();

}  // namespace wf
