#pragma once

#include "weightformer/models/model.h"
#include "weightformer/nn/patch_embed.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <functional>
#include <utility>

namespace wf {

/// WeightFormer: patches → init_norm → blocks → norm → mean over tokens → dropout → head.
/// Parameter names are those of the original.
class WeightFormerImpl : public Classifier {
 public:
  explicit WeightFormerImpl(const ClassifierOptions& options);

  at::Tensor forward(const at::Tensor& images) override;
  at::Tensor features(const at::Tensor& images) override;
  std::vector<at::Tensor> forward_features(const at::Tensor& images,
                                           const FeatureOptions& options) override;
  /// images: as of forward() → the tokens that features() takes the mean of, [B, N, dim], and their
  /// grid.
  std::pair<at::Tensor, Grid> tokens(const at::Tensor& images);
  int64_t image_size() const override { return options.image_size(); }
  int64_t num_classes() const override { return options.num_classes(); }
  void set_generator(const at::Generator& generator) override;
  int64_t layer_index(const std::string& parameter) const override;

  ClassifierOptions options;
  PatchEmbed patch_embed{nullptr};
  torch::nn::LayerNorm init_norm{nullptr}, norm{nullptr};
  torch::nn::ModuleList blocks{nullptr};
  torch::nn::Linear head{nullptr};

 private:
  /// The images through `count` blocks → [B, H*W, D] and the grid; calls `visit`, where there is
  /// one, after each block.
  using Visit = std::function<void(int64_t block, const at::Tensor& tokens, Grid grid)>;
  std::pair<at::Tensor, Grid> run_blocks(const at::Tensor& images, int64_t count,
                                         const Visit& visit);

  at::Generator generator_;  // of the dropout; undefined: the device's default
};
TORCH_MODULE(WeightFormer);

}  // namespace wf
