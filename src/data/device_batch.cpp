#include "data/device_batch.h"

#include "data/transforms.h"

#include <torch/types.h>

namespace wf {

at::Tensor model_input(const Batch& batch, c10::Device device) {
  auto images = batch.inputs.to(device, /*non_blocking=*/true);
  if (images.scalar_type() != at::kByte) return images;
  images = images.to(at::kFloat).div_(255);
  for (int64_t c = 0; c < 3; ++c) {  // numbers as arguments: a tensor would need a transfer
    images.select(1, c).sub_(kImagenetMean[c]).div_(kImagenetStd[c]);
  }
  if (batch.erased.empty()) return images;
  const auto noise = batch.noise.to(device, /*non_blocking=*/true);
  for (const auto& erased : batch.erased) {
    const auto values = noise.narrow(0, erased.first, erased.count);
    images.select(0, erased.image)
        .narrow(1, erased.top, erased.height)
        .narrow(2, erased.left, erased.width)
        .copy_(erased.count == 3 ? values.view({3, 1, 1})
                                 : values.view({3, erased.height, erased.width}));
  }
  return images;
}

}  // namespace wf
