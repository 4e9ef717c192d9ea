#pragma once

#include "data/dataset.h"
#include "data/image/image.h"
#include "data/image/resize.h"

#include <memory>
#include <string>

namespace wf {

/// A stored picture whose pixels are decoded when it is known which are wanted. For one thread.
///
/// For a JPEG only the header is read at first. Every other format is decoded at once, and a PPM
/// as as_ppm() writes it is used where it lies. All of this throws UnreadableImage, as
/// decode_image() does.
class Picture {
 public:
  /// `name` is for messages.
  Picture(Encoded encoded, std::string name);
  /// A decoded picture, which must outlive this.
  explicit Picture(ImageView image);
  ~Picture();

  int height() const;
  int width() const;

  /// Every pixel, exactly as decode_image() gives them. Like part(), good until the next call.
  ImageView whole();

  /// Some pixels of the picture, perhaps at a smaller size, and the box that was asked for in them.
  struct Part {
    ImageView pixels;
    FloatBox box;
  };

  /// What resizing `box` to height x width needs. From a JPEG only the blocks that touch the box
  /// are decoded; where 1/2 or 1/4 of the box is still kReduced times the result, they are
  /// decoded at that size, from the low frequencies of each block.
  ///
  /// Without reduction the pixels are those of whole(), bit for bit. With it the resized result
  /// differs from that of the full decode by 0.7 to 1.6 steps of 255 on average over a photograph
  /// (2.1 on the worst of the tests', a CMYK one; 4 on the hardest texture seen) and by up to 34
  /// steps at sharp edges: the low frequencies alone are a little sharper than PIL's filter.
  ///
  /// Damage of the file below the box may go unseen; a file that was cut off is found.
  Part part(Box box, int height, int width);

  /// At 1 the reduced picture would be the result and PIL's filter would not act at all; the mean
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
