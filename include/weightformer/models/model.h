// The interfaces of the networks, and functions that create them by name.
#pragma once

#include <ATen/core/Generator.h>
#include <torch/arg.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// The interface that training needs from any network.
class Model : public torch::nn::Module {
 public:
  /// Sets the generator of random draws in training (stochastic depth, label dropout); undefined,
  /// the default: the device's default generator. A network without random draws need not override
  /// this.
  virtual void set_generator(const at::Generator& /*generator*/) {}

  /// Prefixes of the parameters that depend on the number of classes. They are
  /// re-initialized when weights of another class count are loaded for fine-tuning.
  virtual std::vector<std::string> head_names() const { return {"head."}; }

  /// The layer that `parameter` (its name) belongs to, counted from the input, for layer-wise
  /// decay of the learning rate. All in layer 0, as by default: every parameter has the same rate.
  virtual int64_t layer_index(const std::string& /*parameter*/) const { return 0; }
};

/// layer_index() of a network whose layers are blocks.0 … blocks.(depth - 1): 0 for a name that
/// begins with one of `stem`, i + 1 in blocks.i, depth + 1 for every other.
int64_t layer_by_block(const std::string& parameter, const std::vector<std::string>& stem,
                       int64_t depth);

/// Which token grids Classifier::forward_features() returns.
struct FeatureOptions {
  /// The blocks after which the grids are taken, in the order of the result. Negative numbers count
  /// from the end: -1 is the last block.
  TORCH_ARG(std::vector<int64_t>, blocks) = {-1};
  /// Whether the norm in front of the head is applied to each grid.
  TORCH_ARG(bool, norm) = true;
};

/// A network from images to class scores.
class Classifier : public Model {
 public:
  /// images: [B, 3, H, W], normalized with the ImageNet mean and standard deviation →
  /// logits [B, classes].
  virtual at::Tensor forward(const at::Tensor& images) = 0;

  /// images: as of forward() → [B, D], what the head computes the logits from. Throws wf::Error for
  /// a network that has no such features, as by default.
  virtual at::Tensor features(const at::Tensor& images);

  /// images: as of forward() → for each of options.blocks() a grid [B, H, W, D] of the tokens that
  /// the block returns, with H and W the sides of the images divided by patch_size(), rounded down.
  /// With gradients as any forward pass, for segmentation and detection. The mean over the normed
  /// grid of the last block is features(). Blocks behind the last one that is asked for are not
  /// computed. Throws wf::Error for a block that the network does not have, and for a network
  /// without token grids, as by default.
  virtual std::vector<at::Tensor> forward_features(const at::Tensor& images,
                                                   const FeatureOptions& options);

  /// The side, in pixels, of the square images that the model is trained on by default.
  virtual int64_t image_size() const = 0;
  virtual int64_t num_classes() const = 0;
};

/// What a classifier is built from. A network ignores an option that does not apply to it, or
/// refuses values that it does not support. The defaults are those of wfm_tiny.
struct ClassifierOptions {
  TORCH_ARG(std::string, name) = "wfm_tiny";  ///< one of classifier_names(): decides the network
  TORCH_ARG(int64_t, dim) = 192;
  TORCH_ARG(int64_t, depth) = 17;
  TORCH_ARG(int64_t, patch_size) = 16;
  TORCH_ARG(int64_t, image_size) = 224;  ///< size in training; any size can be classified
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(double, drop_rate) = 0;                 ///< dropout before the head, in training
  TORCH_ARG(double, drop_path_rate) = 0;            ///< of the last block; rises linearly from 0
  TORCH_ARG(std::string, dynamic_linear) = "auto";  ///< see ops/dynamic_linear.h
  TORCH_ARG(std::string, linear_predictor) = "bilateral";  ///< see nn/dynamic_linear.h
  TORCH_ARG(std::string, conv_predictor) = "adaptive";     ///< see nn/dynamic_conv.h
  /// Activation checkpointing: blocks store only their input and are recomputed in the backward
  /// pass.
  TORCH_ARG(bool, recompute) = false;
};

/// The options of `name`, to be changed and given to make_classifier(). Throws wf::Error, listing
/// the known names, unless it is one of classifier_names().
ClassifierOptions classifier_options(const std::string& name);

/// Builds the network options.name() with random weights drawn from the default generator. Throws
/// wf::Error for an unknown name and for invalid options.
std::shared_ptr<Classifier> make_classifier(const ClassifierOptions& options);

/// make_classifier(classifier_options(name)).
std::shared_ptr<Classifier> create_classifier(const std::string& name);

std::vector<std::string> classifier_names();

enum class ModelKind { classifier, diffusion };

/// Which kind of model `name` is. Throws wf::Error, suggesting the nearest of all names, when it is
/// neither one of classifier_names() nor of dit_names().
ModelKind model_kind(const std::string& name);

}  // namespace wf
