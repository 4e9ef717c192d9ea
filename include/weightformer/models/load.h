// From a file of trained weights to the model that they are of.
#pragma once

#include "weightformer/models/model.h"
#include "weightformer/models/vae.h"
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

/// An autoencoder of diffusers from its files.
struct LoadedVae {
  std::shared_ptr<torch::nn::Module> module;
  LatentDecoder* decoder = nullptr;     ///< `module`
  VaeImpl* vae = nullptr;               ///< the same; null for TAESD, which only decodes
  std::vector<std::string> notes = {};  ///< settings of config.json that change nothing here
};

/// Loads diffusers' AutoencoderKL or, for its decoder, AutoencoderTiny. `path`: the directory of
/// config.json and diffusion_pytorch_model.safetensors (or .bin), or such a file of weights with
/// config.json beside it. The attention's names may be those of before diffusers 0.18 (query, key,
/// value, proj_attn). In evaluation mode, on the CPU. Throws wf::Error: a file is missing, a
/// setting is not supported, weights of another network.
LoadedVae load_vae(const std::string& path);

}  // namespace wf
