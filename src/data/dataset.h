#pragma once

#include "data/image/image.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// Encoded image bytes, in any format that decode_image() supports.
struct Encoded {
  std::string_view bytes;
  std::shared_ptr<const void> owner;  ///< keeps the bytes alive
};

/// Labeled images by index. Thread-safe for reading.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// 0 … classes().size() - 1.
  virtual int64_t label(int64_t i) const = 0;
  /// The location of image `i`, for messages.
  virtual std::string name(int64_t i) const = 0;
  /// Throws UnreadableImage.
  virtual Encoded read(int64_t i) const = 0;
  /// Image `i`, decoded. Throws UnreadableImage.
  Image load(int64_t i) const;

  const std::vector<std::string>& classes() const { return classes_; }

 protected:
  std::vector<std::string> classes_;
};

}  // namespace wf
