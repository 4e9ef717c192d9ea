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
  Config config;                     ///< in force: of the checkpoint, --cfg and --opts
  std::vector<std::string> classes;  ///< names; empty when the file has none
  std::string weights;               ///< which of the file's: "model_ema"
};

/// Where the weights are and what describes them.
struct SampleModelRequest {
  std::string file;       ///< .pth, .pt or .safetensors
  std::string cfg, name;  ///< a YAML file, or the name of a model for bare weights; may be empty
  std::vector<std::string> settings;  ///< KEY VALUE … over the configuration
  bool ema = true;                    ///< the EMA weights, where the file has some
};

/// The settings of `request`: those of --cfg, else those saved in the file, else the defaults for
/// the model that `name` says; then `settings`. Throws wf::Error.
Config sample_config(const SampleModelRequest& request);

/// Builds the model that `config` describes and loads its weights. Bare weights tell their own
/// classes, channels, size and learned variance. Throws wf::Error.
SampleModel load_sample_model(const SampleModelRequest& request, const Config& config,
                              c10::Device device);

}  // namespace wf
