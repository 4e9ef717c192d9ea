// What Inception-v3 is made of.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

namespace wf {

struct InceptionConvOptions {
  int64_t in = 0, out = 0;
  int64_t height = 1, width = 1;  // of the kernel
  int64_t stride = 1;
  int64_t pad_height = 0, pad_width = 0;
};

/// A convolution without bias, BatchNorm with its running statistics (epsilon 0.001), ReLU.
class InceptionConvImpl : public torch::nn::Module {
 public:
  explicit InceptionConvImpl(const InceptionConvOptions& options);
  at::Tensor forward(const at::Tensor& x);
  /// Puts the normalization into the weight and a bias.
  void fold();

 private:
  InceptionConvOptions options_;
  at::Tensor weight_, bias_;  // the latter undefined until fold()
  at::Tensor scale_, shift_, mean_, variance_;
};

/// A convolution of a block. `height` and `width` are those of the kernel; with a stride of 1 the
/// size of the image stays.
struct BranchConv {
  std::string name;
  int64_t out, height, width, stride = 1;
  bool beside = false;  ///< takes the input of the one before and is concatenated with it
};
using Branch = std::vector<BranchConv>;

enum class BranchPool {
  average,         ///< 3 x 3, without the padding, then a 1 x 1 convolution
  max,             ///< 3 x 3, then a 1 x 1 convolution
  max_stride_two,  ///< 3 x 3, halves the image
};

/// Branches side by side, their outputs concatenated: `branches` in order, then the pooling one.
class InceptionBlockImpl : public torch::nn::Module {
 public:
  /// `pooled` is the width of the pooling branch; of no meaning with max_stride_two.
  InceptionBlockImpl(int64_t in, const std::vector<Branch>& branches, BranchPool pool,
                     int64_t pooled = 0);
  at::Tensor forward(const at::Tensor& x);
  int64_t out_channels() const { return out_; }
  void fold();

 private:
  struct Step {
    std::shared_ptr<InceptionConvImpl> conv;
    bool beside;
  };
  std::shared_ptr<InceptionConvImpl> add(const BranchConv& conv, int64_t in);
  static at::Tensor run(const std::vector<Step>& branch, const at::Tensor& x);
  at::Tensor pooled(const at::Tensor& x);

  std::vector<std::vector<Step>> branches_;
  BranchPool pool_;
  std::shared_ptr<InceptionConvImpl> after_pool_;
  int64_t out_ = 0;
};

}  // namespace wf
