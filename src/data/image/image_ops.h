// The pixel operations of the augmentation, equal to those of Pillow 13.
#pragma once

#include "data/image/image.h"
#include "data/image/resize.h"

#include <array>
#include <cstdint>

namespace wf {

using Color = std::array<uint8_t, 3>;  ///< R, G, B

// All of these work in place, on images of any size, the empty one included. They are
// thread-safe: working memory belongs to the thread.

/// Stretches each channel to 0…255. ImageOps.autocontrast.
void autocontrast(Image& image);
/// Makes each channel's histogram flat. ImageOps.equalize.
void equalize(Image& image);
/// 255 - v.
void invert(Image& image);
/// Moves towards `other`, of the same size, by `share` of the way. Image.blend.
void blend(Image& image, const Image& other, double share);
/// Inverts the values from `threshold` on. ImageOps.solarize.
void solarize(Image& image, int threshold);
/// Adds `add` to the values below `threshold`, up to 255. The op of timm.
void solarize_add(Image& image, int add, int threshold = 128);
/// Keeps the `bits` highest bits, 0…8. ImageOps.posterize, which no longer takes 0 (black).
void posterize(Image& image, int bits);

// Blends with a degenerate image: 0 gives that, 1 the image itself, more goes beyond it.
// ImageEnhance's classes of these names.

/// Degenerate: black.
void adjust_brightness(Image& image, double factor);
/// Degenerate: the mean of the gray image.
void adjust_contrast(Image& image, double factor);
/// Degenerate: the gray image (ITU-R 601-2 luma).
void adjust_color(Image& image, double factor);
/// Degenerate: smoothed by (1 1 1, 1 5 1, 1 1 1) / 13, but for the outermost pixels.
void adjust_sharpness(Image& image, double factor);

/// Three passes of an extended box filter (Gwosdek et al. 2011); `sigma` in pixels, >= 0.
/// ImageFilter.GaussianBlur.
void gaussian_blur(Image& image, double sigma);

/// The filter between pixels, and the fill beyond them.
struct WarpOptions {
  Interpolation interpolation = Interpolation::bicubic;
  Color fill{};
};

/// The pixel at (x, y) comes from (a x + b y + c, d x + e y + f) of the old image, all of them
/// centers (x + 1/2). Bicubic has a = -1 here, unlike resize(). Image.transform with AFFINE, but in
/// float32 where Pillow has float64: about one value in 10,000 is off by one, and more in a
/// bilinear shift by a round fraction, where the sums are integers.
void affine(Image& image, const std::array<double, 6>& abcdef, const WarpOptions& options);

/// Counter-clockwise about the center; pixels that leave the frame are lost. Image.rotate.
void rotate(Image& image, double degrees, const WarpOptions& options);

/// Left and right exchanged.
void flip_horizontally(Image& image);

}  // namespace wf
