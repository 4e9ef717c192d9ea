// From a file of trained weights to the model that they are of.
#pragma once

#include "weightformer/models/model.h"
#include "weightformer/serialization/weights.h"

#include <memory>
#include <string>

namespace wf {

/// The options of the classifier that `weights` are of. The network's name and the image size are
/// those that the file was trained with; of bare weights, those of the first of classifier_names()
/// that has their shapes. Dimension, depth, patch size and classes are those of the tensors. Throws
/// wf::Error, naming `source`, when the weights are of no known classifier.
ClassifierOptions classifier_options(const Weights& weights, const std::string& source);

/// Builds the classifier whose weights `path` holds (.pth or .safetensors, see read_weights()) and
/// loads them. Throws wf::Error. The names of the classes are in read_weights(path).classes.
std::shared_ptr<Classifier> load_classifier(const std::string& path);

}  // namespace wf
