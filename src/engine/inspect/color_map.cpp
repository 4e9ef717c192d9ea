#include "engine/inspect/color_map.h"

#include <opencv2/imgproc.hpp>
#include <torch/types.h>

namespace wf {

at::Tensor heat_colors(const at::Tensor& values) {
  const auto levels = (values.to(torch::kCPU, torch::kDouble).clamp(0, 1) * 255)
                          .round()
                          .to(torch::kByte)
                          .contiguous();
  const cv::Mat gray(static_cast<int>(levels.size(0)), static_cast<int>(levels.size(1)), CV_8UC1,
                     levels.data_ptr<uint8_t>());
  cv::Mat colored;
  cv::applyColorMap(gray, colored, cv::COLORMAP_INFERNO);
  // OpenCV keeps colors as B, G, R.
  return torch::from_blob(colored.data, {levels.size(0), levels.size(1), 3}, torch::kByte)
      .permute({2, 0, 1})
      .flip(0)
      .contiguous();
}

at::Tensor signed_colors(const at::Tensor& values) {
  const auto v = values.to(torch::kCPU, torch::kDouble).clamp(-1, 1);
  const auto positive = v.clamp_min(0), negative = v.neg().clamp_min(0);
  // From white to (178, 24, 43) and to (33, 102, 172).
  const auto channel = [&](double red, double blue) {
    return 255 - positive * (255 - red) - negative * (255 - blue);
  };
  return torch::stack({channel(178, 33), channel(24, 102), channel(43, 172)})
      .round()
      .to(torch::kByte);
}

}  // namespace wf
