#pragma once

#include "data/image/image.h"
#include "data/image/resize.h"
#include "data/image/scratch.h"

#include <memory>
#include <string>
#include <string_view>

namespace wf {

bool is_jpeg(std::string_view bytes);

/// A JPEG file in memory whose header has been read. Throws UnreadableImage for a damaged one and
/// for one with more than kMaxPixels.
class Jpeg {
 public:
  /// `bytes` must outlive this object.
  Jpeg(std::string_view bytes, std::string name);
  ~Jpeg();

  int height() const;
  int width() const;

  /// Pixels of the image at `eighths`/8 of its size (2, 4 or 8; sides rounded up), only those in
  /// `box`; the result is in `pixels`. At 8 they equal those of a full decode bit for bit.
  ///
  /// Every row down to the box is read, and the end of the file: damage above the lower edge of the
  /// box and a missing end are detected. Damage further down is detected only if the box reaches
  /// it.
  ImageView decode(int eighths, Box box, Scratch& pixels);

 private:
  struct Decoder;
  struct Cut;
  void open();
  [[noreturn]] void fail() const;

  std::string_view bytes_;
  std::string name_;
  std::unique_ptr<Decoder> decoder_;
  bool used_ = false;
};

}  // namespace wf
