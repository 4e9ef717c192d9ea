// The tokens of operators on a grid as the loops of all devices see them. Free of ATen.
#pragma once

#include <cstdint>

namespace wf {

/// The grid of a contiguous [B, height * width, C].
struct TokenGrid {
  int64_t batch, height, width, channels;
};

}  // namespace wf
