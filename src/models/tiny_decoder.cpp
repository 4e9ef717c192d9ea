#include "weightformer/core/check.h"
#include "weightformer/models/vae.h"

#include "models/vae_blocks.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

namespace wf {
namespace {

// relu(x + conv(relu(conv(relu(conv(x))))))
class TinyBlockImpl : public torch::nn::Module {
 public:
  explicit TinyBlockImpl(int64_t dim)
      : first_(conv3(dim, dim)), second_(conv3(dim, dim)), third_(conv3(dim, dim)) {
    // The numbers between are activations in diffusers.
    auto conv = register_module("conv", std::make_shared<torch::nn::Module>());
    conv->register_module("0", first_);
    conv->register_module("2", second_);
    conv->register_module("4", third_);
  }
  at::Tensor forward(const at::Tensor& x) {
    const auto h = second_->forward(first_->forward(x).relu_()).relu_();
    return (third_->forward(h) + x).relu_();
  }

 private:
  std::shared_ptr<VaeConvImpl> first_, second_, third_;
};

}  // namespace

TinyDecoderImpl::TinyDecoderImpl(const TinyDecoderOptions& options) : options(options) {
  const auto &widths = options.block_channels(), &blocks = options.blocks();
  WF_CHECK(!widths.empty() && widths.size() == blocks.size(), "TAESD: ", widths.size(),
           " widths for ", blocks.size(), " stages");
  auto decoder = register_module("decoder", std::make_shared<torch::nn::Module>());
  auto layers = decoder->register_module("layers", std::make_shared<torch::nn::Module>());
  int64_t number = 0;
  const auto add = [&](std::shared_ptr<torch::nn::Module> module) {
    if (module) layers->register_module(std::to_string(number), module);
    ++number;
    layers_.push_back(std::move(module));
  };
  add(conv3(options.latent_channels(), widths.front()));
  ++number;  // ReLU
  for (size_t i = 0; i < widths.size(); ++i) {
    const bool last = i + 1 == widths.size();
    for (int64_t k = 0; k < blocks[i]; ++k) add(std::make_shared<TinyBlockImpl>(widths[i]));
    if (!last) add(nullptr);  // doubles the size
    auto conv = torch::nn::Conv2dOptions(widths[i], last ? options.image_channels() : widths[i], 3);
    add(torch::nn::Conv2d(conv.padding(1).bias(last)).ptr());
  }
}

at::Tensor TinyDecoderImpl::decode_latents(const at::Tensor& latents) {
  WF_CHECK(latents.dim() == 4 && latents.size(1) == options.latent_channels(),
           "TAESD: expected latents [B, ", options.latent_channels(), ", h, w], got ",
           latents.sizes());
  auto x = at::tanh(latents / 3) * 3;  // soft clamping
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (!layers_[i]) {
      x = doubled(x);
    } else if (auto* block = layers_[i]->as<TinyBlockImpl>()) {
      x = block->forward(x);
    } else {
      auto* conv = layers_[i]->as<VaeConvImpl>();
      x = conv ? conv->forward(x) : layers_[i]->as<torch::nn::Conv2dImpl>()->forward(x);
      if (i == 0) x = x.relu_();
    }
  }
  return 2 * x - 1;
}

}  // namespace wf
