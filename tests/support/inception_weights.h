// Weights and images for Inception by a formula, as tests/golden/make_inception_golden.py has it.
#pragma once

#include "weightformer/models/inception.h"
#include "weightformer/serialization/weights.h"

#include "support/fill.h"

#include <cmath>
#include <string>

namespace wf::testing {

/// Variances 1 + 0.2v, scales 1 + 0.1v, other vectors 0.1v; matrices and kernels with variance
/// 2 / fan-in.
inline at::Tensor inception_weight(const std::string& name, at::IntArrayRef shape) {
  auto v = uniform_signed(name, c10::multiply_integers(shape));
  if (ends_with(name, "running_var")) {
    v = 1 + 0.2 * v;
  } else if (shape.size() == 1) {
    v = ends_with(name, "bn.weight") ? 1 + 0.1 * v : 0.1 * v;
  } else {
    v = v * std::sqrt(6.0 * static_cast<double>(shape[0]) / static_cast<double>(v.numel()));
  }
  return v.to(torch::kFloat).reshape(shape);
}

/// By the names of pytorch-fid's file.
inline TensorMap inception_weights() {
  TensorMap weights;
  for (const auto& [name, tensor] : state_dict(*Inception())) {
    weights[name] = inception_weight(name, tensor.sizes());
  }
  return weights;
}

/// [1, 3, height, width] uint8.
inline at::Tensor inception_image(int64_t height, int64_t width) {
  const auto name = "image." + std::to_string(height) + "x" + std::to_string(width);
  const auto v = uniform_signed(name, 3 * height * width).view({1, 3, height, width});
  return ((v + 1) * 128).floor().to(torch::kByte);
}

}  // namespace wf::testing
