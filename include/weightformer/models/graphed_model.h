#pragma once

#include "weightformer/core/graphed_function.h"
#include "weightformer/models/model.h"
#include "weightformer/nn/mixed_precision.h"

#include <memory>
#include <optional>
#include <vector>

namespace wf {

/// A classifier for inference with few images at a time: see GraphedFunction. Elsewhere than on a
/// GPU it is the classifier itself, in inference mode.
class GraphedModel {
 public:
  /// `model` must be on its device and in evaluation mode, which is not checked at each call.
  explicit GraphedModel(std::shared_ptr<Classifier> model,
                        const std::optional<Precision>& precision = {});

  /// images: [B, 3, H, W] on the device of the model → [B, classes] float32. Weights may be
  /// written in place between calls, or moved: they are recorded again then.
  at::Tensor forward(const at::Tensor& images);

  /// Number of recorded graphs; 0 where every call runs the classifier.
  int64_t graphs() const { return function_.graphs(); }

 private:
  std::vector<const void*> places() const;

  std::shared_ptr<Classifier> model_;
  std::vector<const void*> places_;  // of the weights that were recorded
  GraphedFunction function_;
};

}  // namespace wf
