// The autoencoder between images and the latents that diffusion models denoise.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/arg.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace wf {

class VaeEncoderImpl;
class VaeDecoderImpl;

/// From latents as a diffusion model has them to images.
class LatentDecoder {
 public:
  virtual ~LatentDecoder() = default;
  /// latents: [B, C, h, w], scaled → images [B, 3, H, W], data in about [-1, 1].
  virtual at::Tensor decode_latents(const at::Tensor& latents) = 0;
  /// C.
  virtual int64_t latent_channels() const = 0;
  /// Pixels of a side that make one of the latents.
  virtual int64_t reduction() const = 0;
};

/// The configuration of diffusers' AutoencoderKL; the defaults are those of Stable Diffusion's.
struct VaeOptions {
  TORCH_ARG(int64_t, image_channels) = 3;
  TORCH_ARG(int64_t, latent_channels) = 4;
  /// Widths from the image inwards; between two of them the sides are halved.
  TORCH_ARG(std::vector<int64_t>, block_channels) = {128, 256, 512, 512};
  TORCH_ARG(int64_t, layers_per_block) = 2;
  TORCH_ARG(int64_t, groups) = 32;          ///< of GroupNorm
  TORCH_ARG(bool, attention) = true;        ///< in the middle blocks
  TORCH_ARG(bool, quant_conv) = true;       ///< 1 x 1 convolution behind the encoder
  TORCH_ARG(bool, post_quant_conv) = true;  ///< and in front of the decoder
  TORCH_ARG(double, scaling) = 0.18215;     ///< latents are (z - shift) * scaling
  TORCH_ARG(double, shift) = 0;
};

/// A diagonal Gaussian over z, each [B, latent channels, h, w].
struct VaePosterior {
  at::Tensor mean, logvar;  ///< logvar in [-30, 20]
};

/// How large images are cut, as diffusers does it: into tiles whose neighbors overlap by a quarter
/// and are blended linearly. The tiles are a function of the image size only. GroupNorm
/// sees one tile instead of the image, so the result differs from that without tiles.
struct VaeTiling {
  int64_t image_size = 512;  ///< side of a tile, pixels; a multiple of 4 * VaeImpl::reduction()
};

/// AutoencoderKL (Rombach et al. 2022), with the parameter names of diffusers
/// (models/autoencoders/autoencoder_kl.py). Weights: load_vae().
class VaeImpl : public torch::nn::Module, public LatentDecoder {
 public:
  /// Throws wf::Error for options that do not fit together.
  explicit VaeImpl(const VaeOptions& options);

  /// images: [B, 3, H, W] in [-1, 1]; a remainder of H and W by reduction() is cut off.
  VaePosterior encode(const at::Tensor& images);
  VaePosterior encode(const at::Tensor& images, const VaeTiling& tiling);
  /// z: [B, latent channels, h, w], not scaled → [B, 3, h * reduction(), w * reduction()].
  at::Tensor decode(const at::Tensor& z);
  at::Tensor decode(const at::Tensor& z, const VaeTiling& tiling);

  /// (z - shift) * scaling, what diffusion models see, and back.
  at::Tensor scale(const at::Tensor& z) const;
  at::Tensor unscale(const at::Tensor& latents) const;

  at::Tensor decode_latents(const at::Tensor& latents) override { return decode(unscale(latents)); }
  int64_t latent_channels() const override { return options.latent_channels(); }
  int64_t reduction() const override { return int64_t{1} << (options.block_channels().size() - 1); }

  VaeOptions options;

 private:
  at::Tensor moments(const at::Tensor& images);

  std::shared_ptr<VaeEncoderImpl> encoder_;
  std::shared_ptr<VaeDecoderImpl> decoder_;
  torch::nn::Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
};
TORCH_MODULE(Vae);

/// The configuration of diffusers' AutoencoderTiny, for its decoder; the defaults are TAESD's.
struct TinyDecoderOptions {
  TORCH_ARG(int64_t, image_channels) = 3;
  TORCH_ARG(int64_t, latent_channels) = 4;
  TORCH_ARG(std::vector<int64_t>, block_channels) = {64, 64, 64, 64};
  TORCH_ARG(std::vector<int64_t>, blocks) = {3, 3, 3, 1};
};

/// TAESD's decoder (diffusers, models/autoencoders/vae.py, DecoderTiny): much less work than the
/// VAE's, for quick looks. Takes scaled latents.
class TinyDecoderImpl : public torch::nn::Module, public LatentDecoder {
 public:
  explicit TinyDecoderImpl(const TinyDecoderOptions& options);
  at::Tensor decode_latents(const at::Tensor& latents) override;
  int64_t latent_channels() const override { return options.latent_channels(); }
  int64_t reduction() const override { return int64_t{1} << (options.block_channels().size() - 1); }

  TinyDecoderOptions options;

 private:
  std::vector<std::shared_ptr<torch::nn::Module>> layers_;  // null: twice the size
};
TORCH_MODULE(TinyDecoder);

}  // namespace wf
