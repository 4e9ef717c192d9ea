#include "data/device_batch.h"

#include <torch/torch.h>

namespace wf {

at::Tensor model_input(const Batch& batch, c10::Device device) {
  auto images = batch.images.to(device, /*non_blocking=*/true);
  if (images.scalar_type() != at::kByte) return images;
  images = images.to(at::kFloat).div_(255);
  for (int64_t c = 0; c < 3; ++c) {  // numbers as arguments: a tensor of them would be a transfer
    images.select(1, c).sub_(kImagenetMean[c]).div_(kImagenetStd[c]);
  }
  if (batch.erased.empty()) return images;
  const auto noise = batch.noise.to(device, /*non_blocking=*/true);
  for (const auto& [picture, box, first, count] : batch.erased) {
    const auto values = noise.narrow(0, first, count);
    images.select(0, picture)
        .narrow(1, box.top, box.height)
        .narrow(2, box.left, box.width)
        .copy_(count == 3 ? values.view({3, 1, 1}) : values.view({3, box.height, box.width}));
  }
  return images;
}

}  // namespace wf
