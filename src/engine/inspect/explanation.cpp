#include "engine/inspect/explanation.h"

#include "data/transforms.h"
#include "engine/inspect/class_evidence.h"

#include <torch/types.h>

#include <algorithm>

namespace wf {
namespace {

// The input of a model as an image: [3, H, W] float32 → uint8.
at::Tensor pixels_of(const at::Tensor& input) {
  auto out = torch::empty_like(input);
  for (int64_t c = 0; c < 3; ++c) {
    out[c].copy_(input[c] * kImagenetStd[c] + kImagenetMean[c]);
  }
  return (out * 255).round().clamp(0, 255).to(torch::kByte);
}

}  // namespace

Explanation explain(WeightFormerImpl& model, const std::string& name, const at::Tensor& image,
                    const std::vector<std::string>& names, int64_t count) {
  const auto input = image.unsqueeze(0).to(model.head->weight.device());
  const auto evidence = class_evidence(model, input);
  const auto logits = evidence.logits[0], probabilities = logits.softmax(0);
  const auto order = std::get<1>(logits.topk(std::min(count, logits.size(0))));
  Explanation out;
  out.name = name;
  out.pixels = pixels_of(image.cpu());
  for (int64_t i = 0; i < order.size(0); ++i) {
    const auto c = order[i].item<int64_t>();
    const bool named = static_cast<size_t>(c) < names.size();
    out.classes.push_back({named ? names[static_cast<size_t>(c)] : "class " + std::to_string(c),
                           probabilities[c].item<double>(), logits[c].item<double>(),
                           evidence.bias[c].item<double>(), evidence.maps[0][c]});
  }
  out.weights = predicted_weights(model, input);
  return out;
}

}  // namespace wf
