#pragma once

#include "weightformer/data/image.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

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
  virtual Image load(int64_t i) const = 0;

  const std::vector<std::string>& classes() const { return classes_; }

 protected:
  std::vector<std::string> classes_;
};

}  // namespace wf
