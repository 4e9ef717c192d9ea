#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace wf {

/// Overlapping tiles of an image, worked on one after the other, and their results blended. Source:
/// diffusers, autoencoder_kl.py (tiled_decode, blend_v, blend_h).
class Tiles {
 public:
  /// Sides of a tile and of its result; neighbors overlap by a quarter. A remainder of less than
  /// `least` is left out. Throws wf::Error unless both sides are multiples of 4.
  Tiles(int64_t in, int64_t out, int64_t least = 1);

  /// x: [B, C, H, W] → the results put together.
  at::Tensor run(const at::Tensor& x,
                 const std::function<at::Tensor(const at::Tensor&)>& work) const;

 private:
  int64_t in_, out_, least_;
};

}  // namespace wf
