#pragma once

#include <cstdint>
#include <vector>

namespace wf {

/// A decoded picture.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;  ///< RGB, height x width x 3
};

}  // namespace wf
