#pragma once

#include "data/image/image.h"

namespace wf {

enum class Interpolation { bilinear, bicubic, box };

/// A region of an image, in integer pixels.
struct Box {
  int top = 0, left = 0, height = 0, width = 0;
};

/// The same with fractional edges: a pixel is the square from its index to the next.
struct FloatBox {
  double top = 0, left = 0, height = 0, width = 0;
};

inline FloatBox whole_box(int height, int width) {
  return {0, 0, static_cast<double>(height), static_cast<double>(width)};
}

/// Throws wf::Error for a box that is empty or not inside an image of height x width.
void check_box(const Box& box, int height, int width);

/// The part `source` of `image`, resized as PIL does it: antialiased (the filter widens with the
/// reduction), bicubic with a = -0.5, in two passes in Pillow 13's order, each rounded to 8 bits
/// from fixed-point weights of 22 bits. Throws wf::Error for a box outside the image. Reference:
/// Pillow's Image.crop and Image.resize.
Image resize(const Image& image, Box source, int height, int width, Interpolation interpolation);

/// The result of resize_into(): `source` at height x width, of which `part` is written.
struct Resizing {
  FloatBox source;
  int height = 0, width = 0;
  Box part;
  Interpolation interpolation = Interpolation::bicubic;
};

/// Pillow's Image.resize(size, filter, box): as above, but the filter also reads pixels of `image`
/// around the box. out: [part.height, part.width, 3]. Only what `part` needs is computed.
void resize_into(ImageView image, const Resizing& resizing, uint8_t* out);

}  // namespace wf
