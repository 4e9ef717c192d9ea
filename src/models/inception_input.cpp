#include "weightformer/models/inception.h"

#include "core/registry.h"

#include <torch/types.h>

namespace wf {
namespace {

constexpr int64_t kSide = 299;

const Registry<InceptionInput>& inputs() {
  static const Registry<InceptionInput> table(
      "preprocessing",
      {{"tensorflow", InceptionInput::tensorflow}, {"pytorch", InceptionInput::pytorch}});
  return table;
}

// Neighbors and their mixture along one side.
struct Taps {
  at::Tensor low, high;  // indices
  at::Tensor part;       // of the higher one, float32
};

// Source: tensorflow/core/kernels/image_resizer_state.h and resize_bilinear_op.cc of TensorFlow 1:
// position i of the result is at i * in / out, computed in float32.
Taps taps(int64_t in, const at::TensorOptions& options) {
  const float scale = static_cast<float>(in) / static_cast<float>(kSide);
  const auto at = torch::arange(kSide, options.dtype(torch::kFloat)) * scale;
  const auto low = at.floor();
  return {low.to(torch::kLong), (low + 1).clamp_max(in - 1).to(torch::kLong), at - low};
}

at::Tensor mix(const at::Tensor& low, const at::Tensor& high, const at::Tensor& part) {
  return low + (high - low) * part;
}

at::Tensor resize_tensorflow(const at::Tensor& x) {
  const auto options = torch::TensorOptions(x.device());
  const auto rows = taps(x.size(2), options), columns = taps(x.size(3), options);
  const auto across =
      mix(x.index_select(3, columns.low), x.index_select(3, columns.high), columns.part);
  return mix(across.index_select(2, rows.low), across.index_select(2, rows.high),
             rows.part.unsqueeze(1));
}

at::Tensor resize_pytorch(const at::Tensor& x) {
  return at::upsample_bilinear2d(x, {kSide, kSide}, /*align_corners=*/false);
}

}  // namespace

std::string to_string(InceptionInput input) {
  return input == InceptionInput::tensorflow ? "tensorflow" : "pytorch";
}

InceptionInput parse_inception_input(const std::string& name) { return inputs().at(name); }

at::Tensor inception_input(const at::Tensor& images, InceptionInput input) {
  WF_CHECK(images.dim() == 4 && images.size(1) == 3 && images.scalar_type() == torch::kByte,
           "Inception: expected images [B, 3, H, W] of uint8, got ", images.sizes(), " of ",
           images.scalar_type());
  const auto x = images.to(torch::kFloat);
  if (input == InceptionInput::tensorflow) return (resize_tensorflow(x) - 128) / 128;
  return 2 * resize_pytorch(x / 255) - 1;
}

}  // namespace wf
