#pragma once

#include "weightformer/core/random.h"

#include "data/augment/random_erasing.h"
#include "data/image/image.h"
#include "data/image/image_decoder.h"
#include "data/image/resize.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// The original's normalization, for pixels in 0…1; R, G, B.
constexpr float kImagenetMean[3] = {0.485f, 0.456f, 0.406f};
constexpr float kImagenetStd[3] = {0.229f, 0.224f, 0.225f};

/// Images of at most this side are cropped with padding instead of at random sizes.
constexpr int kSmallSide = 32;

struct TransformOptions {
  int size = 224;  ///< side of the result, pixels
  Interpolation interpolation = Interpolation::bicubic;
  bool crop = true;      ///< evaluation: resize to size * 256/224 and crop the center
  int crop_padding = 4;  ///< training on small images: zero padding before a random crop
  double hflip = 0.5;    ///< training: probability of a horizontal flip
  /// Training: ImageDecoder::part() instead of a full decode. Evaluation always decodes in full.
  bool fast_decode = true;
  /// Training: bilinear or bicubic, drawn for each image, instead of `interpolation`.
  bool random_interpolation = false;
  std::string auto_augment = "none";  ///< training: see AutoAugment
  /// Training: brightness, contrast and saturation times 1 ± this at most, when there is no policy
  /// or it is 3-Augment.
  double color_jitter = 0;
  RandomErasingOptions erasing;  ///< training
};

/// An augmented image and its erased regions, before conversion to a tensor.
struct Sample {
  Image image;
  std::vector<ErasedPart> erased;
};

/// Converts an image to the input of a model.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual int size() const = 0;
  /// The size x size image. Thread-safe; random choices come only from `rng`.
  virtual Sample sample(ImageDecoder& decoder, CounterRng& rng) const = 0;
  /// Transforms a decoded image and writes its values: see write_normalized().
  void operator()(const Image& image, CounterRng& rng, float* out) const;
};

/// [3, height, width] float32: R, G and B planes, normalized by the ImageNet mean and standard
/// deviation, the erased regions overwritten.
void write_normalised(const Sample& sample, float* out);
/// [3, height, width] uint8: the same planes as they are stored.
void write_planes(const Image& image, uint8_t* out);

/// The training transform of timm, in its order: random resized crop (area 0.08–1, aspect 3/4–4/3),
/// flip, policy or color jitter, random erasing. For small images the crop is: resize to the square
/// if necessary, random crop with padding. Throws wf::Error for an unknown policy.
std::unique_ptr<Transform> make_train_transform(const TransformOptions& options);

/// Images for generation: see center_crop(), then a horizontal flip with probability
/// options.hflip.
std::unique_ptr<Transform> make_center_crop_transform(const TransformOptions& options);

/// The center of `image`, size x size, as ADM and DiT crop ImageNet (center_crop_arr in
/// guided-diffusion's image_datasets.py): halved with a box filter while the shorter side is at
/// least twice `size`, then resized to it with a bicubic one.
Image center_crop(const ImageView& image, int size);

/// The side of the square that eval_crop() resizes to, and where the center begins in it.
struct EvalSides {
  int resized, margin;
};
EvalSides eval_sides(const TransformOptions& options);

/// See eval_crop().
std::unique_ptr<Transform> make_eval_transform(const TransformOptions& options);

/// The image resized to the square of side int(256/224 * size), then its center of side `size`;
/// without options.crop, or for small sizes, the image resized to the square of side `size`.
Image eval_crop(const ImageView& image, const TransformOptions& options);

/// The box of a random resized crop: ten tries at a random area and aspect, then the largest
/// centered box of an allowed aspect (the recipe of Szegedy et al. 2015, in torchvision's form).
Box random_resized_box(int height, int width, CounterRng& rng);

}  // namespace wf
