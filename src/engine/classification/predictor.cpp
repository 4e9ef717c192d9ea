#include "engine/classification/predictor.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf {

Predictor::Predictor(std::shared_ptr<Classifier> model, std::unique_ptr<Transform> transform,
                     std::vector<std::string> classes, c10::Device device)
    : model_(std::move(model)),
      transform_(std::move(transform)),
      classes_(std::move(classes)),
      device_(device) {
  model_->eval();
}

std::vector<Prediction> Predictor::top(const Image& image, int64_t count) const {
  const torch::InferenceMode inference;
  auto input = torch::empty({1, 3, transform_->size(), transform_->size()});
  CounterRng unused{0};  // evaluation transforms are deterministic
  (*transform_)(image, unused, input.data_ptr<float>());
  const auto probabilities =
      model_->forward(input.to(device_))[0].to(torch::kCPU, torch::kDouble).softmax(0);
  const auto [values, indices] =
      probabilities.topk(std::min<int64_t>(count, probabilities.size(0)));
  std::vector<Prediction> out;
  for (int64_t i = 0; i < values.size(0); ++i) {
    const auto index = indices[i].item<int64_t>();
    const bool named = static_cast<size_t>(index) < classes_.size();
    out.push_back({named ? classes_[index] : "class " + std::to_string(index), index,
                   values[i].item<double>()});
  }
  return out;
}

}  // namespace wf
