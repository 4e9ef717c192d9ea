// What the loops of dynamic_dwconv work on, the same on every device. No ATen here: device code
// includes it.
#pragma once

#include <cstdint>

namespace wf {

/// T: dtype of the tokens; A: what sums are kept in. Null: not given.
template <typename T, typename A>
struct DwconvInput {
  const T* x;       // [B, H, W, C]
  const A* kernel;  // [B, 9, C], before its normalisation
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
  A* taps;        // [B, 9, C], of the kernels that the samples were convolved with
  A* bias;        // [B, C]
  A* kernel;      // [B, 9, C] or null, like those below
  A* shift;       // [B, C]
  A* scale;       // [B, C]
  A* gate;        // [B, C]
};

}  // namespace wf
