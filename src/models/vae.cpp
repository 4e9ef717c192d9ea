#include "weightformer/models/vae.h"

#include "weightformer/core/check.h"

#include "models/vae_blocks.h"
#include "models/vae_tiles.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>

namespace wf {

class VaeEncoderImpl : public torch::nn::Module {
 public:
  explicit VaeEncoderImpl(const VaeOptions& o)
      : conv_in_(register_module("conv_in", conv3(o.image_channels(), o.block_channels().front()))),
        stages_(register_module("down_blocks", torch::nn::ModuleList())) {
    const auto& widths = o.block_channels();
    for (size_t i = 0; i < widths.size(); ++i) {
      stages_->push_back(std::make_shared<VaeStageImpl>(
          widths[i == 0 ? 0 : i - 1], widths[i], o.layers_per_block(), o.groups(),
          i + 1 < widths.size() ? VaeResampling::down : VaeResampling::none));
    }
    middle_ = register_module(
        "mid_block", std::make_shared<VaeMiddleImpl>(widths.back(), o.groups(), o.attention()));
    norm_ = register_module("conv_norm_out", group_norm(o.groups(), widths.back()));
    conv_out_ = register_module("conv_out", conv3(widths.back(), 2 * o.latent_channels()));
  }

  at::Tensor forward(const at::Tensor& images) {
    auto x = conv_in_->forward(images);
    for (const auto& stage : *stages_) x = stage->as<VaeStageImpl>()->forward(x);
    return conv_out_->forward(normalized_silu(norm_, middle_->forward(x)));
  }

 private:
  std::shared_ptr<VaeConvImpl> conv_in_, conv_out_;
  torch::nn::ModuleList stages_;
  std::shared_ptr<VaeMiddleImpl> middle_;
  torch::nn::GroupNorm norm_{nullptr};
};

class VaeDecoderImpl : public torch::nn::Module {
 public:
  explicit VaeDecoderImpl(const VaeOptions& o)
      : conv_in_(register_module("conv_in", conv3(o.latent_channels(), o.block_channels().back()))),
        stages_(register_module("up_blocks", torch::nn::ModuleList())) {
    const std::vector<int64_t> widths(o.block_channels().rbegin(), o.block_channels().rend());
    middle_ = register_module(
        "mid_block", std::make_shared<VaeMiddleImpl>(widths.front(), o.groups(), o.attention()));
    for (size_t i = 0; i < widths.size(); ++i) {
      stages_->push_back(std::make_shared<VaeStageImpl>(
          widths[i == 0 ? 0 : i - 1], widths[i], o.layers_per_block() + 1, o.groups(),
          i + 1 < widths.size() ? VaeResampling::up : VaeResampling::none));
    }
    norm_ = register_module("conv_norm_out", group_norm(o.groups(), widths.back()));
    conv_out_ = register_module("conv_out", conv3(widths.back(), o.image_channels()));
  }

  at::Tensor forward(const at::Tensor& z) {
    auto x = middle_->forward(conv_in_->forward(z));
    for (const auto& stage : *stages_) x = stage->as<VaeStageImpl>()->forward(x);
    return conv_out_->forward(normalized_silu(norm_, x));
  }

 private:
  std::shared_ptr<VaeConvImpl> conv_in_, conv_out_;
  torch::nn::ModuleList stages_;
  std::shared_ptr<VaeMiddleImpl> middle_;
  torch::nn::GroupNorm norm_{nullptr};
};

namespace {

void require_valid(const VaeOptions& o) {
  WF_CHECK(!o.block_channels().empty() && o.block_channels().size() < 16 &&
               o.layers_per_block() > 0 && o.latent_channels() > 0 && o.image_channels() > 0,
           "VAE: needs blocks, layers and channels");
  for (const auto width : o.block_channels()) {
    WF_CHECK(width > 0 && o.groups() > 0 && width % o.groups() == 0, "VAE: a width of ", width,
             " cannot be divided into ", o.groups(), " groups (norm_num_groups)");
  }
  WF_CHECK(o.scaling() > 0, "VAE: the scaling factor must be positive, got ", o.scaling());
}

torch::nn::Conv2d pointwise(int64_t channels) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, channels, 1));
}

VaePosterior posterior(const at::Tensor& moments) {
  const auto parts = moments.chunk(2, 1);
  return {parts[0], parts[1].clamp(-30, 20)};
}

}  // namespace

VaeImpl::VaeImpl(const VaeOptions& options) : options(options) {
  require_valid(options);
  encoder_ = register_module("encoder", std::make_shared<VaeEncoderImpl>(options));
  decoder_ = register_module("decoder", std::make_shared<VaeDecoderImpl>(options));
  const auto channels = options.latent_channels();
  if (options.quant_conv()) quant_conv_ = register_module("quant_conv", pointwise(2 * channels));
  if (options.post_quant_conv()) {
    post_quant_conv_ = register_module("post_quant_conv", pointwise(channels));
  }
}

at::Tensor VaeImpl::moments(const at::Tensor& images) {
  const auto x = encoder_->forward(images);
  return (quant_conv_ ? quant_conv_->forward(x) : x).contiguous();
}

VaePosterior VaeImpl::encode(const at::Tensor& images) {
  WF_CHECK(images.dim() == 4 && images.size(1) == options.image_channels() &&
               images.size(2) >= reduction() && images.size(3) >= reduction(),
           "VAE: expected images [B, ", options.image_channels(), ", H, W] of at least ",
           reduction(), " x ", reduction(), ", got ", images.sizes());
  return posterior(moments(images));
}

VaePosterior VaeImpl::encode(const at::Tensor& images, const VaeTiling& tiling) {
  const auto side = tiling.image_size;
  if (images.size(2) <= side && images.size(3) <= side) return encode(images);
  const Tiles tiles(side, side / reduction(), /*least=*/reduction());
  return posterior(tiles.run(images, [&](const at::Tensor& tile) { return moments(tile); }));
}

at::Tensor VaeImpl::decode(const at::Tensor& z) {
  WF_CHECK(z.dim() == 4 && z.size(1) == options.latent_channels(), "VAE: expected latents [B, ",
           options.latent_channels(), ", h, w], got ", z.sizes());
  return decoder_->forward(post_quant_conv_ ? post_quant_conv_->forward(z) : z).contiguous();
}

at::Tensor VaeImpl::decode(const at::Tensor& z, const VaeTiling& tiling) {
  const auto side = tiling.image_size / reduction();
  if (z.size(2) <= side && z.size(3) <= side) return decode(z);
  const Tiles tiles(side, tiling.image_size);
  return tiles.run(z, [&](const at::Tensor& tile) { return decode(tile); });
}

at::Tensor VaeImpl::scale(const at::Tensor& z) const {
  return (z - options.shift()) * options.scaling();
}

at::Tensor VaeImpl::unscale(const at::Tensor& latents) const {
  return latents / options.scaling() + options.shift();
}

}  // namespace wf
