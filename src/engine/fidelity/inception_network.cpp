#include "engine/fidelity/feature_network.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf {
namespace {

constexpr const char* kInceptionName = "inception-v3-2015-12-05";
// That a CPU takes at a time: no slower than more of them, and the activations of 50 take 1.5 GB.
constexpr size_t kCpuImages = 8;

class InceptionNetwork : public FeatureNetwork {
 public:
  InceptionNetwork(Inception model, InceptionInput input, const std::string& weights,
                   c10::Device device)
      : model_(std::move(model)),
        input_(input),
        device_(device),
        settings_{{"network", kInceptionName}, {"weights", weights}, {"input", to_string(input)}} {
    model_->eval();
    model_->fold_norms();
  }

  ImageFeatures features(const std::vector<at::Tensor>& images) override {
    const torch::InferenceMode inference;
    const size_t most = device_.is_cpu() ? kCpuImages : images.size();
    std::vector<at::Tensor> pooled, spatial;
    for (size_t begin = 0; begin < images.size(); begin += most) {
      const auto end = std::min(images.size(), begin + most);
      const auto out = model_->forward(batch({images.begin() + static_cast<std::ptrdiff_t>(begin),
                                              images.begin() + static_cast<std::ptrdiff_t>(end)}));
      pooled.push_back(out.pooled);
      spatial.push_back(out.spatial);
    }
    const auto features = torch::cat(pooled);
    return {features.cpu(), torch::cat(spatial).cpu(), model_->logits(features).cpu()};
  }
  int64_t dim() const override { return 2048; }
  int64_t spatial_dim() const override { return 2023; }
  const FidelitySettings& settings() const override { return settings_; }

 private:
  at::Tensor batch(const std::vector<at::Tensor>& images) const {
    const bool same = std::all_of(images.begin(), images.end(), [&](const at::Tensor& image) {
      return image.sizes() == images.front().sizes();
    });
    if (same) return inception_input(torch::stack(images).to(device_), input_);
    std::vector<at::Tensor> inputs;
    for (const auto& image : images) {
      inputs.push_back(inception_input(image.unsqueeze(0).to(device_), input_));
    }
    return torch::cat(inputs);
  }

  Inception model_;
  InceptionInput input_;
  c10::Device device_;
  FidelitySettings settings_;
};

}  // namespace

FidelitySettings network_settings(const FidelitySettings& all) {
  FidelitySettings out;
  for (const auto& setting : all) {
    if (setting.first == "network" || setting.first == "weights" || setting.first == "input") {
      out.push_back(setting);
    }
  }
  return out;
}

std::string distance_name(const FidelitySettings& settings) {
  for (const auto& [name, value] : settings) {
    if (name == "network" && value != kInceptionName) return "FD";
  }
  return "FID";
}

std::string FeatureNetwork::distance() const { return distance_name(settings()); }

std::unique_ptr<FeatureNetwork> inception_network(Inception model, InceptionInput input,
                                                  const std::string& weights, c10::Device device) {
  return std::make_unique<InceptionNetwork>(std::move(model), input, weights, device);
}

}  // namespace wf
