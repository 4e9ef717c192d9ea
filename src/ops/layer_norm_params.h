// The tensors of layer_norm as the loops of all devices see them. Free of ATen, as device code
// includes it.
#pragma once

#include <cstdint>

namespace wf {

/// Gradients of vectors are first added up over so many tokens of a sample.
constexpr int64_t kNormPart = 32;

/// B samples of N tokens of C channels.
struct NormShape {
  int64_t batch, tokens, channels;
  int64_t parts() const { return (tokens + kNormPart - 1) / kNormPart; }
};

/// T: dtype of the tokens; U: of the update; Y: of the result; A: of sums. Null: not given.
template <typename T, typename U, typename Y, typename A>
struct NormInput {
  const T* x;           // [B, N, C]
  const U* update;      // [B, N, C]
  const A* gate;        // [B, C], only with update; with the scale of rows in it
  const A* factor;      // [B, C] or [C]: what the normalized tokens are multiplied by
  const A* offset;      // like factor, which it comes with: what is added then
  int64_t next_factor;  // from one sample's factor to the next: C or 0
  Y* y;                 // [B, N, C]
  T* sum;               // [B, N, C]: x + gate * update
  A* moments;           // [B, N, 2]: mean, 1 / standard deviation
  A eps;
  NormShape shape;
};

/// Sums over the tokens of a part are [B, parts, C].
template <typename T, typename U, typename Y, typename A>
struct NormGradients {
  const Y* grad;        // [B, N, C], of y
  const T* grad_sum;    // [B, N, C], of the sum
  const T* x;           // [B, N, C]: what was normalized, or the normalized tokens
  bool normalized;      // x holds the normalized tokens
  const A* moments;     // [B, N, 2]
  const A* factor;      // as in NormInput
  int64_t next_factor;  // as in NormInput
  const U* update;      // [B, N, C], where the gradient of gate is wanted
  const A* gate;        // [B, C]: what the gradient of the update is multiplied by
  T* grad_x;            // [B, N, C], of the sum and thereby of x
  U* grad_update;       // [B, N, C], or null: it is that of x
  A* factor_sums;       // with factor: Σ grad * normalized tokens
  A* offset_sums;       // with factor: Σ grad
  A* gate_sums;         // with update: Σ grad_x * update
  NormShape shape;
};

}  // namespace wf
