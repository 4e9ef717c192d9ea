// The layout of tokens in an image.
#pragma once

#include <cstdint>

namespace wf {

/// N = height * width tokens, row by row.
struct Grid {
  int64_t height = 0;
  int64_t width = 0;
  int64_t tokens() const { return height * width; }
};

}  // namespace wf
