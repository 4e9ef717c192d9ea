// The model that wf_sample draws from.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/models/dit.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

struct SampleModel {
  std::shared_ptr<DiTImpl> model;
  Config config;                     ///< effective: of the checkpoint, --cfg and --opts
  std::vector<std::string> classes;  ///< names; empty when the file has none
  std::string weights;               ///< key in the file: "model_ema"
};

/// The file of the weights and their configuration.
struct SampleModelRequest {
  std::string file;       ///< .pth, .pt or .safetensors
  std::string cfg, name;  ///< a YAML file, or the name of a model for bare weights; may be empty
  std::vector<std::string> settings;  ///< KEY VALUE … over the configuration
  bool ema = true;                    ///< the EMA weights, if the file has them
};

/// The settings of `request`: those of --cfg, else those saved in the file, else the defaults for
/// the model `name`; then `settings`. Throws wf::Error.
Config sample_config(const SampleModelRequest& request);

/// Builds the model that `config` describes and loads its weights. Classes, channels, size and
/// learned variance of bare weights come from their shapes. Throws wf::Error.
SampleModel load_sample_model(const SampleModelRequest& request, const Config& config,
                              c10::Device device);

}  // namespace wf
