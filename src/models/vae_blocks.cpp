#include "models/vae_blocks.h"

#include "nn/group_norm_silu.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace wf {

torch::nn::GroupNorm group_norm(int64_t groups, int64_t channels) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, channels).eps(1e-6));
}

at::Tensor normalized_silu(torch::nn::GroupNorm& norm, const at::Tensor& x) {
  if (channels_last_inference(x)) return group_norm_silu(x, *norm, /*silu=*/true);
  return at::silu(norm->forward(x));
}

at::Tensor doubled(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

VaeResnetImpl::VaeResnetImpl(int64_t in, int64_t out, int64_t groups)
    : norm1_(register_module("norm1", group_norm(groups, in))),
      norm2_(register_module("norm2", group_norm(groups, out))),
      conv1_(register_module("conv1", conv3(in, out))),
      conv2_(register_module("conv2", conv3(out, out))) {
  if (in != out) {
    conv_shortcut_ =
        register_module("conv_shortcut", torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 1)));
  }
}

at::Tensor VaeResnetImpl::forward(const at::Tensor& x) {
  const auto h = conv1_->forward(normalized_silu(norm1_, x));
  return conv2_->forward(normalized_silu(norm2_, h),
                         conv_shortcut_ ? conv_shortcut_->forward(x) : x);
}

VaeAttentionImpl::VaeAttentionImpl(int64_t dim, int64_t groups)
    : group_norm_(register_module("group_norm", group_norm(groups, dim))),
      to_q_(register_module("to_q", torch::nn::Linear(dim, dim))),
      to_k_(register_module("to_k", torch::nn::Linear(dim, dim))),
      to_v_(register_module("to_v", torch::nn::Linear(dim, dim))),
      to_out_(dim, dim) {
  // diffusers has a dropout as to_out.1, without parameters.
  register_module("to_out", torch::nn::ModuleList(to_out_));
}

at::Tensor VaeAttentionImpl::forward(const at::Tensor& x) {
  const auto normed = channels_last_inference(x) ? group_norm_silu(x, *group_norm_, /*silu=*/false)
                                                 : group_norm_->forward(x);
  const auto tokens = normed.flatten(2).transpose(1, 2);  // [B, h * w, dim]
  const auto head = [&](torch::nn::Linear& linear) { return linear->forward(tokens).unsqueeze(1); };
  const auto mixed = at::scaled_dot_product_attention(head(to_q_), head(to_k_), head(to_v_));
  const auto out = to_out_->forward(mixed.squeeze(1));
  return x + out.transpose(1, 2).reshape(x.sizes());
}

VaeMiddleImpl::VaeMiddleImpl(int64_t dim, int64_t groups, bool attention)
    : resnets_(register_module("resnets", torch::nn::ModuleList())),
      attentions_(register_module("attentions", torch::nn::ModuleList())) {
  for (int i = 0; i < 2; ++i)
    resnets_->push_back(std::make_shared<VaeResnetImpl>(dim, dim, groups));
  if (attention) attentions_->push_back(std::make_shared<VaeAttentionImpl>(dim, groups));
}

at::Tensor VaeMiddleImpl::forward(at::Tensor x) {
  x = resnets_[0]->as<VaeResnetImpl>()->forward(x);
  for (const auto& attention : *attentions_) x = attention->as<VaeAttentionImpl>()->forward(x);
  return resnets_[1]->as<VaeResnetImpl>()->forward(x);
}

VaeStageImpl::VaeStageImpl(int64_t in, int64_t out, int64_t layers, int64_t groups,
                           VaeResampling resampling)
    : resnets_(register_module("resnets", torch::nn::ModuleList())), resampling_(resampling) {
  for (int64_t i = 0; i < layers; ++i) {
    resnets_->push_back(std::make_shared<VaeResnetImpl>(i == 0 ? in : out, out, groups));
  }
  if (resampling == VaeResampling::none) return;
  const bool down = resampling == VaeResampling::down;
  auto wrapped = std::make_shared<torch::nn::Module>();
  if (down) {
    auto conv = torch::nn::Conv2d(torch::nn::Conv2dOptions(out, out, 3).stride(2));
    down_ = wrapped->register_module("conv", conv);
  } else {
    up_ = wrapped->register_module("conv", conv3(out, out));
  }
  auto list = torch::nn::ModuleList();
  list->push_back(wrapped);
  register_module(down ? "downsamplers" : "upsamplers", list);
}

at::Tensor VaeStageImpl::forward(at::Tensor x) {
  for (const auto& resnet : *resnets_) x = resnet->as<VaeResnetImpl>()->forward(x);
  if (resampling_ == VaeResampling::none) return x;
  // Padding only on the right and below, as in the original implementation.
  if (resampling_ == VaeResampling::down)
    return down_->forward(at::constant_pad_nd(x, {0, 1, 0, 1}));
  return up_->forward_doubled(x);
}

}  // namespace wf
