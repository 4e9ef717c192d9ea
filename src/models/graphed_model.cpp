#include "weightformer/models/graphed_model.h"

#include "weightformer/core/check.h"

#include <c10/core/InferenceMode.h>

namespace wf {

GraphedModel::GraphedModel(std::shared_ptr<Classifier> model,
                           const std::optional<Precision>& precision)
    : model_(std::move(model)),
      places_(places()),
      function_([model = model_.get(), precision](const GraphedFunction::Tensors& inputs) {
        const c10::InferenceMode inference;
        const MixedPrecision mixed(precision, inputs[0].device().type());
        return GraphedFunction::Tensors{model->forward(inputs[0]).to(at::kFloat)};
      }) {
  WF_CHECK(!model_->is_training(), "GraphedModel: expected a model in evaluation mode: eval()");
}

std::vector<const void*> GraphedModel::places() const {
  std::vector<const void*> places;
  for (const auto& parameter : model_->parameters()) {
    places.push_back(parameter.const_data_ptr());
  }
  return places;
}

at::Tensor GraphedModel::forward(const at::Tensor& images) {
  auto now = places();
  if (now != places_) {
    function_.forget();
    places_ = std::move(now);
  }
  return function_({images})[0];
}

}  // namespace wf
