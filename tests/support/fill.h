// Tensors rebuilt from their names, so that golden files need to hold results only.
//
// Element k of the tensor called `name` is v = 2u - 1 with u the k-th number of splitmix64 started
// at the 64-bit FNV-1a hash of the name. Scaled by kind, see `filled`.
#pragma once

#include "weightformer/core/random.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cmath>
#include <string>

namespace wf::testing {

inline at::Tensor uniform_signed(const std::string& name, int64_t count) {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (unsigned char byte : name) hash = (hash ^ byte) * 0x100000001B3ull;
  auto out = torch::empty({count}, torch::kDouble);
  double* values = out.data_ptr<double>();
  for (int64_t k = 0; k < count; ++k) {
    const uint64_t z = mix64(hash + (static_cast<uint64_t>(k) + 1) * 0x9E3779B97F4A7C15ull);
    values[k] = static_cast<double>(z >> 11) * 0x1p-52 - 1;
  }
  return out;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// LayerNorm weights 1 + 0.1v; other vectors 0.1v; matrices sqrt(3 * rows / numel) v, and three
/// times that in the predictors, which would hardly show otherwise; inputs sqrt(3) v. float32.
inline at::Tensor filled(const std::string& name, at::IntArrayRef shape) {
  auto v = uniform_signed(name, c10::multiply_integers(shape));
  if (name.rfind("input", 0) == 0) {
    v = v * std::sqrt(3.0);
  } else if (shape.size() == 1) {
    v = contains(name, "norm") && ends_with(name, ".weight") ? 1 + 0.1 * v : 0.1 * v;
  } else {
    v = v * std::sqrt(3.0 * static_cast<double>(shape[0]) / static_cast<double>(v.numel()));
    if (contains(name, "wfm") || ends_with(name, ".w1") || ends_with(name, ".w2")) v = v * 3;
  }
  return v.to(torch::kFloat).reshape(shape);
}

inline void fill_parameters(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    if (item.key() == "pos_embed") continue;  // fixed positions are not changed
    item.value().copy_(filled(item.key(), item.value().sizes()));
  }
}

}  // namespace wf::testing
