#pragma once

#include "weightformer/models/model.h"
#include "weightformer/nn/patch_embed.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace wf {

struct WeightFormerOptions {
  TORCH_ARG(int64_t, dim) = 192;
  TORCH_ARG(int64_t, depth) = 17;
  TORCH_ARG(int64_t, patch_size) = 16;
  TORCH_ARG(int64_t, image_size) = 224;  ///< what it is trained on; any size can be classified
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(double, drop_rate) = 0;       ///< dropout between pooling and head, in training
  TORCH_ARG(double, drop_path_rate) = 0;  ///< of the last block; it grows linearly from 0
  TORCH_ARG(std::string, dynamic_linear) = "auto";  ///< see ops/dynamic_linear.h
  /// Training keeps the input of each block alone and computes the rest again in the backward pass.
  TORCH_ARG(bool, recompute) = false;
};

/// WeightFormer: patches → init_norm → blocks → norm → mean over tokens → dropout → head.
/// Parameter names are those of the published state dicts.
class WeightFormerImpl : public Classifier {
 public:
  explicit WeightFormerImpl(const WeightFormerOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  int64_t image_size() const override { return options.image_size(); }
  int64_t num_classes() const override { return options.num_classes(); }
  void set_generator(const at::Generator& generator) override;

  WeightFormerOptions options;
  PatchEmbed patch_embed{nullptr};
  torch::nn::LayerNorm init_norm{nullptr}, norm{nullptr};
  torch::nn::ModuleList blocks{nullptr};
  torch::nn::Linear head{nullptr};

 private:
  at::Generator generator_;  // of the dropout; undefined: the device's default
};
TORCH_MODULE(WeightFormer);

}  // namespace wf
