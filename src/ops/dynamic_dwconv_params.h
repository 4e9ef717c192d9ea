// The tensors of dynamic_dwconv as the loops of all devices see them. Free of ATen, as device code
// includes it.
#pragma once

#include <cstdint>

namespace wf {

/// T: dtype of the tokens; A: dtype of sums. Null: not given.
template <typename T, typename A>
struct DwconvInput {
  const T* x;       // [B, H, W, C]
  const A* kernel;  // [B, 9, C], before normalization
  const A* weight;  // [9, C]
  const A* bias;    // [C]
  const A* shift;   // [B, C], with scale or not at all
  const A* scale;   // [B, C]
  const A* gate;    // [B, C]
  int64_t batch, height, width, channels;
  bool residual;
};

template <typename T, typename A>
struct DwconvGradients {
  const T* grad;  // [B, H, W, C], of the output
  T* x;           // [B, H, W, C]
  A* taps;        // [B, 9, C], of the kernels after normalization and addition of weight
  A* bias;        // [B, C]
  A* kernel;      // [B, 9, C] or null, like those below
  A* shift;       // [B, C]
  A* scale;       // [B, C]
  A* gate;        // [B, C]
};

}  // namespace wf
