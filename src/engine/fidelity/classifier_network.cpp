#include "weightformer/core/check.h"

#include "engine/fidelity/load_network.h"
#include "engine/weights_checksum.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <utility>

namespace wf {
namespace {

class ClassifierNetwork : public FeatureNetwork {
 public:
  ClassifierNetwork(std::shared_ptr<Classifier> model, std::unique_ptr<Transform> transform,
                    const std::string& description, c10::Device device)
      : model_(std::move(model)),
        transform_(std::move(transform)),
        device_(device),
        settings_{{"network", "classifier " + description},
                  {"weights", weights_checksum(*model_)},
                  {"input", str("its evaluation, ", transform_->size(), " pixels")}} {
    model_->to(device);
    model_->eval();
    dim_ = features({torch::zeros({3, transform_->size(), transform_->size()}, torch::kByte)})
               .pooled.size(1);
  }

  ImageFeatures features(const std::vector<at::Tensor>& images) override {
    const torch::InferenceMode inference;
    const auto count = static_cast<int64_t>(images.size());
    const int64_t side = transform_->size();
    const auto inputs = torch::empty({count, 3, side, side});
    for (int64_t i = 0; i < count; ++i) {
      const auto pixels = images[i].permute({1, 2, 0}).contiguous();
      const auto* first = pixels.data_ptr<uint8_t>();
      const Image image{static_cast<int>(pixels.size(0)),
                        static_cast<int>(pixels.size(1)),
                        {first, first + pixels.numel()}};
      CounterRng unused{0};  // an evaluation draws nothing
      (*transform_)(image, unused, inputs.data_ptr<float>() + i * inputs.stride(0));
    }
    return {model_->features(inputs.to(device_)).to(torch::kFloat).cpu(), {}, {}};
  }
  int64_t dim() const override { return dim_; }
  int64_t spatial_dim() const override { return 0; }
  const FidelitySettings& settings() const override { return settings_; }

 private:
  std::shared_ptr<Classifier> model_;
  std::unique_ptr<Transform> transform_;
  c10::Device device_;
  FidelitySettings settings_;
  int64_t dim_ = 0;
};

}  // namespace

std::unique_ptr<FeatureNetwork> classifier_network(std::shared_ptr<Classifier> model,
                                                   std::unique_ptr<Transform> transform,
                                                   const std::string& description,
                                                   c10::Device device) {
  return std::make_unique<ClassifierNetwork>(std::move(model), std::move(transform), description,
                                             device);
}

}  // namespace wf
