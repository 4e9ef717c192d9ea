// What the autoencoder is made of. Names of parameters: diffusers, models/unets/unet_2d_blocks.py.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace wf {

/// 3 x 3, the size stays.
torch::nn::Conv2d conv3(int64_t in, int64_t out);

/// With the epsilon of diffusers' autoencoders.
torch::nn::GroupNorm group_norm(int64_t groups, int64_t channels);

/// Every value twice along both sides.
at::Tensor doubled(const at::Tensor& x);

/// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1 x 1 convolution of x where the width
/// changes.
class VaeResnetImpl : public torch::nn::Module {
 public:
  VaeResnetImpl(int64_t in, int64_t out, int64_t groups);
  at::Tensor forward(const at::Tensor& x);

 private:
  torch::nn::GroupNorm norm1_, norm2_;
  torch::nn::Conv2d conv1_, conv2_, conv_shortcut_{nullptr};
};

/// x + attention of all positions to all, with one head.
class VaeAttentionImpl : public torch::nn::Module {
 public:
  VaeAttentionImpl(int64_t dim, int64_t groups);
  at::Tensor forward(const at::Tensor& x);

 private:
  torch::nn::GroupNorm group_norm_;
  torch::nn::Linear to_q_, to_k_, to_v_, to_out_;
};

/// Residual block, attention unless switched off, residual block.
class VaeMiddleImpl : public torch::nn::Module {
 public:
  VaeMiddleImpl(int64_t dim, int64_t groups, bool attention);
  at::Tensor forward(at::Tensor x);

 private:
  torch::nn::ModuleList resnets_, attentions_;
};

enum class VaeResampling { none, down, up };

/// Residual blocks, then half or twice the size.
class VaeStageImpl : public torch::nn::Module {
 public:
  VaeStageImpl(int64_t in, int64_t out, int64_t layers, int64_t groups, VaeResampling resampling);
  at::Tensor forward(at::Tensor x);

 private:
  torch::nn::ModuleList resnets_;
  torch::nn::Conv2d resample_{nullptr};
  VaeResampling resampling_;
};

}  // namespace wf
