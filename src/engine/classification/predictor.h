#pragma once

#include "weightformer/models/model.h"

#include "data/transforms.h"

#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

namespace wf {

struct Prediction {
  std::string name;        ///< of the class; "class N" when the model's classes have no names
  int64_t index = 0;       ///< of the class
  double probability = 0;  ///< softmax, 0…1
};

/// Top-k classification of single images.
class Predictor {
 public:
  /// `model` is on `device`; it is set to evaluation mode. `classes` may be empty.
  Predictor(std::shared_ptr<Classifier> model, std::unique_ptr<Transform> transform,
            std::vector<std::string> classes, c10::Device device);

  /// The `count` most probable classes (fewer when the model has fewer), the most probable first.
  std::vector<Prediction> top(const Image& image, int64_t count) const;

 private:
  std::shared_ptr<Classifier> model_;
  std::unique_ptr<Transform> transform_;
  std::vector<std::string> classes_;
  c10::Device device_;
};

}  // namespace wf
