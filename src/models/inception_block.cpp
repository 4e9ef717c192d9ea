#include "models/inception_block.h"

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf {
namespace {

constexpr double kEpsilon = 1e-3;

}  // namespace

InceptionConvImpl::InceptionConvImpl(const InceptionConvOptions& options) : options_(options) {
  // In modules of their own, for the names in the state dict.
  auto conv = std::make_shared<torch::nn::Module>(), bn = std::make_shared<torch::nn::Module>();
  register_module("conv", conv);
  register_module("bn", bn);
  const auto o = options;
  weight_ = conv->register_parameter("weight", torch::empty({o.out, o.in, o.height, o.width}));
  torch::nn::init::kaiming_uniform_(weight_);
  scale_ = bn->register_parameter("weight", torch::ones({o.out}));
  shift_ = bn->register_parameter("bias", torch::zeros({o.out}));
  mean_ = bn->register_buffer("running_mean", torch::zeros({o.out}));
  variance_ = bn->register_buffer("running_var", torch::ones({o.out}));
}

at::Tensor InceptionConvImpl::forward(const at::Tensor& x) {
  auto y = at::conv2d(x, weight_, bias_, {options_.stride, options_.stride},
                      {options_.pad_height, options_.pad_width});
  if (!bias_.defined()) {
    y = at::batch_norm(y, scale_, shift_, mean_, variance_, /*training=*/false, /*momentum=*/0,
                       kEpsilon, /*cudnn_enabled=*/true);
  }
  return y.relu_();
}

void InceptionConvImpl::fold() {
  const at::NoGradGuard no_grad;
  const auto gain = scale_ / (variance_ + kEpsilon).sqrt();
  weight_.mul_(gain.view({-1, 1, 1, 1}));
  bias_ = shift_ - mean_ * gain;
}

InceptionBlockImpl::InceptionBlockImpl(int64_t in, const std::vector<Branch>& branches,
                                       BranchPool pool, int64_t pooled)
    : pool_(pool) {
  for (const auto& branch : branches) {
    std::vector<Step> steps;
    int64_t width = in, before = in, from = in;  // of the output so far, and what came before it
    for (const auto& conv : branch) {
      from = conv.beside ? before : width;
      steps.push_back({add(conv, from), conv.beside});
      before = from;
      width = conv.beside ? width + conv.out : conv.out;
    }
    branches_.push_back(std::move(steps));
    out_ += width;
  }
  if (pool != BranchPool::max_stride_two) after_pool_ = add({"branch_pool", pooled, 1, 1}, in);
  out_ += pool == BranchPool::max_stride_two ? in : pooled;
}

std::shared_ptr<InceptionConvImpl> InceptionBlockImpl::add(const BranchConv& conv, int64_t in) {
  const bool same = conv.stride == 1;
  return register_module(conv.name,
                         std::make_shared<InceptionConvImpl>(InceptionConvOptions{
                             in, conv.out, conv.height, conv.width, conv.stride,
                             same ? (conv.height - 1) / 2 : 0, same ? (conv.width - 1) / 2 : 0}));
}

at::Tensor InceptionBlockImpl::run(const std::vector<Step>& branch, const at::Tensor& x) {
  auto out = x, before = x;
  for (const auto& step : branch) {
    if (step.beside) {
      out = at::cat({out, step.conv->forward(before)}, 1);
    } else {
      before = out;
      out = step.conv->forward(before);
    }
  }
  return out;
}

at::Tensor InceptionBlockImpl::pooled(const at::Tensor& x) {
  switch (pool_) {
    case BranchPool::average:
      return after_pool_->forward(
          at::avg_pool2d(x, 3, 1, 1, /*ceil_mode=*/false, /*count_include_pad=*/false));
    case BranchPool::max:
      return after_pool_->forward(at::max_pool2d(x, 3, 1, 1));
    default:
      return at::max_pool2d(x, 3, 2);
  }
}

at::Tensor InceptionBlockImpl::forward(const at::Tensor& x) {
  std::vector<at::Tensor> outputs;
  for (const auto& branch : branches_) outputs.push_back(run(branch, x));
  outputs.push_back(pooled(x));
  return at::cat(outputs, 1);
}

void InceptionBlockImpl::fold() {
  for (const auto& branch : branches_) {
    for (const auto& step : branch) step.conv->fold();
  }
  if (after_pool_) after_pool_->fold();
}

}  // namespace wf
