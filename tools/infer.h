// What the parts of wf_infer share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct InferArguments {
  std::string model, weights, input, output;  // tensors in, a tensor out
  std::string cfg, resume;                    // images
  std::vector<std::string> opts, images;
  std::string device = "auto";
  int64_t top = 5;
  std::optional<double> guidance;
  bool json = false, ema = false, allow_missing = false;
};

/// --model NAME --weights F --input X --output Y, for a classifier or a diffusion model. Returns
/// the exit code; throws wf::Error in one line.
int infer_tensors(const InferArguments& arguments);

/// --cfg C --resume F --images PATH…: prints the most probable classes of each image, in JSON also
/// its label by the directory that it is in (see image_files.h). An image that cannot be read is
/// named on standard error, and the exit code returned is that of bad input.
int infer_images(const InferArguments& arguments);

}  // namespace wf
