// What the two halves of wf_infer share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct InferArguments {
  std::string model, weights, input, output;  // tensors in, a tensor out
  std::string cfg, resume;                    // pictures
  std::vector<std::string> opts, images;
  std::string device = "auto";
  int64_t top = 5;
  std::optional<double> guidance;
  bool json = false, ema = false, allow_missing = false;
};

/// --model NAME --weights F --input X --output Y for a diffusion model.
int infer_latents(const InferArguments& arguments);

}  // namespace wf
