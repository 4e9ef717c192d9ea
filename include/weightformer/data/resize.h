#pragma once

#include "weightformer/data/image.h"

namespace wf {

enum class Interpolation { bilinear, bicubic };

/// A part of a picture, in whole pixels.
struct Box {
  int top = 0, left = 0, height = 0, width = 0;
};

/// The part `source` of `image`, resized as PIL does it: antialiased (the filter widens with the
/// reduction), bicubic with a = -0.5, in two passes in Pillow 13's order, each rounded to 8 bits
/// from fixed-point weights of 22 bits. Throws wf::Error for a box outside the picture. Reference:
/// Pillow's Image.crop and Image.resize.
Image resize(const Image& image, Box source, int height, int width, Interpolation interpolation);

}  // namespace wf
