#pragma once

#include "data/dataset.h"
#include "data/image/image.h"
#include "data/image/resize.h"

#include <memory>
#include <string>

namespace wf {

/// A lazy decoder of a stored image: pixels are decoded on request. For one thread.
///
/// For a JPEG only the header is read at first. Every other format is decoded immediately, and a
/// PPM of as_ppm() is used in place. All of this throws UnreadableImage, as decode_image() does.
class ImageDecoder {
 public:
  /// `name` is for messages.
  ImageDecoder(Encoded encoded, std::string name);
  /// A decoded image, which must outlive this object.
  explicit ImageDecoder(ImageView image);
  ~ImageDecoder();

  int height() const;
  int width() const;

  /// All pixels, exactly as from decode_image(). Valid until the next call, as is the result of
  /// part().
  ImageView full();

  /// Some pixels of the image, possibly at reduced size, and the requested box in their
  /// coordinates.
  struct Part {
    ImageView pixels;
    FloatBox box;
  };

  /// The pixels needed to resize `box` to height x width. From a JPEG only the blocks that touch
  /// the box are decoded; where 1/2 or 1/4 of the box is still kReduced times the result, they are
  /// decoded at that size, from the low frequencies of each block.
  ///
  /// Without reduction the pixels equal those of a full decode bit for bit. With it the resized
  /// result differs from that of the full decode by 0.7 to 1.6 steps of 255 on average over a
  /// photograph (2.1 on the worst of the tests', a CMYK one; 4 on the hardest texture seen) and by
  /// up to 34 steps at sharp edges: the low frequencies are a little sharper than PIL's filter.
  ///
  /// Damage of the file below the box may not be detected; a truncated file is.
  Part part(Box box, int height, int width);

  /// At 1 the reduced image would be the result and PIL's filter would not act at all; the mean
  /// difference falls from 4.9 steps there to 2.5 at 1.5, 1.6 at 2 and 0.8 at 3.
  static constexpr double kReduced = 2;

 private:
  struct Jpeg;
  Encoded encoded_;
  Image decoded_;
  ImageView view_;
  std::unique_ptr<Jpeg> jpeg_;  // null: view_ has every pixel
};

}  // namespace wf
