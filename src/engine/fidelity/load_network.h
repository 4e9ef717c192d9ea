// Feature networks from files of weights.
#pragma once

#include "weightformer/models/model.h"

#include "data/transforms.h"
#include "engine/fidelity/feature_network.h"

#include <c10/core/Device.h>

#include <memory>
#include <string>

namespace wf {

/// The network of the FID with the weights in `path` (pytorch-fid's or torch-fidelity's file) and
/// the preprocessing `input` ("tensorflow", "pytorch"). Throws wf::Error for weights of another
/// network.
std::unique_ptr<FeatureNetwork> load_inception_network(const std::string& path,
                                                       const std::string& input,
                                                       c10::Device device);

/// The features of a classifier on `device`, after the transform of its evaluation. `description`
/// is what it is called in the settings.
std::unique_ptr<FeatureNetwork> classifier_network(std::shared_ptr<Classifier> model,
                                                   std::unique_ptr<Transform> transform,
                                                   const std::string& description,
                                                   c10::Device device);

}  // namespace wf
