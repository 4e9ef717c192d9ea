// What the autoencoder is made of. Names of parameters: diffusers, models/unets/unet_2d_blocks.py.
#pragma once

#include "nn/winograd.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace wf {

/// True in inference on a CPU in float32: the layers below then take and give channels last, in
/// which normalization, convolutions and attention need no copies.
bool channels_last_inference(const at::Tensor& x);

/// A 3 x 3 convolution with stride 1; the size stays. In inference on a CPU in float32 it takes
/// fewer multiplications, with weights that are transformed once: see winograd_conv3().
class VaeConvImpl : public torch::nn::Conv2dImpl {
 public:
  VaeConvImpl(int64_t in, int64_t out);
  /// Plus `residual`, where it is defined.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual = {});
  /// forward(doubled(x)): in inference on a CPU in float32 four convolutions of 2 x 2, one for each
  /// of the four places that an element goes to, as equal inputs share the sum of their weights.
  at::Tensor forward_doubled(const at::Tensor& x);

 private:
  // Weights in another form, with what they were made from.
  template <typename Weights>
  struct Prepared {
    Weights weights;
    at::Tensor from;
    int64_t version = -1;
  };
  template <typename Weights>
  const Weights& prepared(Prepared<Weights>& kept, Weights (*make)(const at::Tensor&));
  bool fast(const at::Tensor& x) const;

  Prepared<WinogradWeights> winograd_;
  Prepared<at::Tensor> doubled_;
};
std::shared_ptr<VaeConvImpl> conv3(int64_t in, int64_t out);

/// With the epsilon of diffusers' autoencoders.
torch::nn::GroupNorm group_norm(int64_t groups, int64_t channels);

/// silu(norm(x)).
at::Tensor normalized_silu(torch::nn::GroupNorm& norm, const at::Tensor& x);

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
  std::shared_ptr<VaeConvImpl> conv1_, conv2_;
  torch::nn::Conv2d conv_shortcut_{nullptr};
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
  torch::nn::Conv2d down_{nullptr};
  std::shared_ptr<VaeConvImpl> up_;
  VaeResampling resampling_;
};

}  // namespace wf
