#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace wf {

/// What a report shows of a validation besides its metrics.
struct ValidationDetails {
  struct Sample {
    std::string name, truth, predicted;
    double loss = 0;
    double probability = 0;  ///< of the predicted class, 0…1
    at::Tensor image;        ///< [1 or 3, H, W] uint8
  };
  std::vector<std::string> classes;
  at::Tensor confusion;       ///< [classes, classes] int64, true class by predicted
  std::vector<Sample> worst;  ///< of the largest losses, the largest first
};

}  // namespace wf
