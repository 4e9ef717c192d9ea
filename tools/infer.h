// What the parts of wf_infer share.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/serialization/weights.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct InferArguments {
  std::string weights;              ///< .pth, .safetensors or a checkpoint
  std::string model, cfg;           ///< override the settings in the weights; may be empty
  std::string input, output;        ///< a tensor in, a tensor out
  std::vector<int64_t> blocks;      ///< the token grids behind these blocks, not the logits
  std::vector<std::string> images;  ///< or images and directories of them
  std::vector<std::string> opts;
  std::string device = "auto";
  int64_t top = 5;
  std::optional<double> guidance;
  bool json = false, ema = false, allow_missing = false;
};

/// The settings of the model: those of --cfg, --opts, --model and --device, and for all others
/// those that `weights` were trained with.
Config infer_config(const InferArguments& arguments, const Weights& weights);

/// Runs a classifier or a diffusion model on the tensors of --input. Returns the exit code; throws
/// wf::Error in one line.
int infer_tensors(const InferArguments& arguments);

/// Prints the most probable classes of each image, in JSON also its label by the directory that it
/// is in (see image_files.h). An image that cannot be read is named on standard error, and the exit
/// code returned is that of bad input. Throws wf::Error in one line.
int infer_images(const InferArguments& arguments);

}  // namespace wf
