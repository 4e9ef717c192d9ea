// The interface of all classifiers, and the table of those that have a name.
#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// What training needs of any network.
class Model : public torch::nn::Module {
 public:
  virtual void set_generator(const at::Generator& /*generator*/) {}
};

/// A network from pictures to class scores.
class Classifier : public Model {
 public:
  /// images: [B, 3, H, W], normalised with the ImageNet mean and deviation → logits [B, classes].
  virtual at::Tensor forward(const at::Tensor& images) = 0;

  /// The side, in pixels, of the square pictures that the model is trained on by default.
  virtual int64_t image_size() const = 0;
  virtual int64_t num_classes() const = 0;
};

/// What may differ from the named model; 0 keeps what the name says.
struct ClassifierOverrides {
  int64_t num_classes = 0;
  int64_t dim = 0;
  int64_t depth = 0;
  int64_t patch_size = 0;
  double drop_rate = 0;  ///< see WeightFormerOptions
  double drop_path_rate = 0;
  bool recompute = false;               ///< see WeightFormerOptions
  std::string dynamic_linear = "auto";  ///< how it is computed, see ops/dynamic_linear.h
};

/// Builds `name`, one of classifier_names(), with fresh weights drawn from the default generator.
/// Throws wf::Error, listing the known names, for any other.
std::shared_ptr<Classifier> create_classifier(const std::string& name,
                                              const ClassifierOverrides& overrides = {});

std::vector<std::string> classifier_names();

}  // namespace wf
