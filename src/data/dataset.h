#pragma once

#include "data/image/image.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// A picture as it is stored, in any format that decode_image() knows.
struct Encoded {
  std::string_view bytes;
  std::shared_ptr<const void> owner;  ///< keeps the bytes where they are
};

/// Labelled pictures by number. Thread-safe for reading.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// 0 … classes().size() - 1.
  virtual int64_t label(int64_t i) const = 0;
  /// Where picture `i` is, for messages.
  virtual std::string name(int64_t i) const = 0;
  /// Throws UnreadableImage.
  virtual Encoded read(int64_t i) const = 0;
  /// Picture `i` decoded. Throws UnreadableImage.
  Image load(int64_t i) const;

  const std::vector<std::string>& classes() const { return classes_; }

 protected:
  std::vector<std::string> classes_;
};

}  // namespace wf
