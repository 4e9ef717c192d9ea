// One block per part of a sample's tokens. Each thread keeps its pack of channels of several tokens
// in registers between the passes, so that every number is read once; one barrier serves the sums
// of all these tokens.
#pragma once

#include "kernels/cuda/block_sum.cuh"
#include "ops/layer_norm_params.h"

#include <cmath>

namespace wf::cuda {

// Up to 512 packs of channels; more threads would leave a thread less than 128 registers.
constexpr int kNormThreads = 512, kNormWarps = kNormThreads / kWarp;

// Tokens whose sums share a barrier: their packs take half of the registers at most.
template <typename A, int N>
constexpr int kNormRows = N * sizeof(A) >= 32 ? 2 : 4;

// NormShape::parts(), which a device cannot call.
__host__ __device__ inline int64_t norm_parts(const NormShape& s) {
  return ceil_div(s.tokens, kNormPart);
}

// The channels of a thread and the tokens of its block.
struct NormPlace {
  int64_t sample, part, channel, first, end;
  bool works;

  template <int N>
  static __device__ NormPlace of_thread(const NormShape& s) {
    const auto parts = static_cast<unsigned>(norm_parts(s));
    const int64_t part = blockIdx.x % parts, channel = int64_t{threadIdx.x} * N;
    return {
        blockIdx.x / parts,  part, channel, part * kNormPart, min((part + 1) * kNormPart, s.tokens),
        channel < s.channels};
  }
};

template <typename A, int N>
__device__ A sum_of_lanes(const Vec<A, N>& v) {
  A sum = 0;
  for (int i = 0; i < N; ++i) sum += v.lane[i];
  return sum;
}

// A division may be a call, which needs a stack. `share` below is 1 / channels.
__device__ inline float inverse_root(float x) { return rsqrtf(x); }
__device__ inline double inverse_root(double x) { return 1 / std::sqrt(x); }

template <typename T, typename U, typename Y, int N>
__global__ void __launch_bounds__(kNormThreads)
    layer_norm_kernel(NormInput<T, U, Y, Accumulate<T>> in, Accumulate<T> share) {
  using A = Accumulate<T>;
  using V = Vec<A, N>;
  constexpr int R = kNormRows<A, N>;
  __shared__ A shared[2][kNormWarps * R];
  const auto p = NormPlace::of_thread<N>(in.shape);
  const int64_t c = in.shape.channels;
  const V gate = p.works && in.gate ? load<N>(in.gate + p.sample * c + p.channel) : V(1);
  const int64_t vector = p.sample * in.next_factor + p.channel;
  const V factor = p.works && in.factor ? load<N>(in.factor + vector) : V(1);
  const V offset = p.works && in.factor ? load<N>(in.offset + vector) : V(0);
  for (int64_t token = p.first; token < p.end; token += R) {
    const int64_t row = p.sample * in.shape.tokens + token;
    const auto inside = [&](int r) { return p.works && token + r < p.end; };
    V x[R];
    A mean[R], square[R];
    for (int r = 0; r < R; ++r) {
      const int64_t at = (row + r) * c + p.channel;
      x[r] = inside(r) ? load<N>(in.x + at) : V(0);
      if (inside(r) && in.update) x[r] = fmadd(gate, load<N>(in.update + at), x[r]);
      if (inside(r) && in.sum) store(in.sum + at, x[r]);
      mean[r] = sum_of_lanes(x[r]);
    }
    block_sum(mean, shared[0]);
    for (int r = 0; r < R; ++r) {
      mean[r] *= share;
      for (int i = 0; i < N; ++i) x[r].lane[i] -= mean[r];
      square[r] = p.works ? sum_of_lanes(x[r] * x[r]) : 0;
    }
    block_sum(square, shared[1]);
    for (int r = 0; r < R; ++r) {
      if (!inside(r)) continue;
      Vec<A, 2> moments;
      moments.lane[0] = mean[r];
      moments.lane[1] = inverse_root(square[r] * share + in.eps);
      store(in.y + (row + r) * c + p.channel, fmadd(x[r] * V(moments.lane[1]), factor, offset));
      if (threadIdx.x == 0) store(in.moments + 2 * (row + r), moments);
    }
  }
}

template <typename T, typename U, typename Y, int N>
__global__ void __launch_bounds__(kNormThreads)
    layer_norm_backward_kernel(NormGradients<T, U, Y, Accumulate<T>> g, Accumulate<T> share) {
  using A = Accumulate<T>;
  using V = Vec<A, N>;
  constexpr int R = kNormRows<A, N>;
  __shared__ A shared[2][kNormWarps * 2 * R];
  const auto p = NormPlace::of_thread<N>(g.shape);
  const int64_t c = g.shape.channels;
  const V factor =
      p.works && g.factor ? load<N>(g.factor + p.sample * g.next_factor + p.channel) : V(1);
  const V gate = p.works && g.gate ? load<N>(g.gate + p.sample * c + p.channel) : V(1);
  V factor_sum(0), offset_sum(0), gate_sum(0);
  int turn = 0;
  for (int64_t token = p.first; token < p.end; token += R, turn = 1 - turn) {
    const int64_t row = p.sample * g.shape.tokens + token;
    const auto inside = [&](int r) { return p.works && token + r < p.end; };
    V x[R], grad[R];
    A rstd[R], sums[2 * R];
    for (int r = 0; r < R; ++r) {
      const int64_t at = (row + r) * c + p.channel;
      x[r] = V(0);
      grad[r] = V(0);
      rstd[r] = 0;
      if (inside(r)) {
        const auto moments = load<2>(g.moments + 2 * (row + r));
        rstd[r] = moments.lane[1];
        x[r] = load<N>(g.x + at);
        if (!g.normalized) {
          for (int i = 0; i < N; ++i) x[r].lane[i] = (x[r].lane[i] - moments.lane[0]) * rstd[r];
        }
        grad[r] = load<N>(g.grad + at);
      }
      factor_sum = fmadd(grad[r], x[r], factor_sum);
      offset_sum = offset_sum + grad[r];
      grad[r] = grad[r] * factor;
      sums[2 * r] = sum_of_lanes(grad[r]);
      sums[2 * r + 1] = sum_of_lanes(grad[r] * x[r]);
    }
    block_sum(sums, shared[turn]);
    for (int r = 0; r < R; ++r) {
      if (!inside(r)) continue;
      const int64_t at = (row + r) * c + p.channel;
      V dx =
          fmadd(x[r], V(-sums[2 * r + 1] * share), grad[r] + V(-sums[2 * r] * share)) * V(rstd[r]);
      if (g.grad_sum) dx = dx + load<N>(g.grad_sum + at);
      store(g.grad_x + at, dx);
      if (g.update) gate_sum = fmadd(dx, load<N>(g.update + at), gate_sum);
      if (g.grad_update) store(g.grad_update + at, dx * gate);
    }
  }
  if (!p.works) return;
  const int64_t at = (p.sample * norm_parts(g.shape) + p.part) * c + p.channel;
  if (g.factor_sums) {
    store(g.factor_sums + at, factor_sum);
    store(g.offset_sums + at, offset_sum);
  }
  if (g.gate_sums) store(g.gate_sums + at, gate_sum);
}

/// Whether a row of `channels` fits into a block.
template <typename T>
bool fits_layer_norm(int64_t channels) {
  return channels <= kNormThreads * (channels % kPack<T> == 0 ? kPack<T> : 1);
}

template <int N>
LaunchShape norm_shape(const NormShape& s) {
  const int64_t threads = ceil_div(ceil_div(s.channels, N), kWarp) * kWarp;
  return {s.batch * norm_parts(s), dim3(static_cast<unsigned>(threads))};
}

/// launch(kernel, shape, params)
template <typename T, typename U, typename Y, typename Launch>
void launch_layer_norm(const NormInput<T, U, Y, Accumulate<T>>& in, Launch launch) {
  with_pack<kPack<T>>(in.shape.channels,
                      {in.x, in.update, in.gate, in.factor, in.offset, in.y, in.sum}, [&](auto n) {
                        constexpr int N = decltype(n)::value;
                        launch(layer_norm_kernel<T, U, Y, N>, norm_shape<N>(in.shape), in,
                               Accumulate<T>(1) / in.shape.channels);
                      });
}

template <typename T, typename U, typename Y, typename Launch>
void launch_layer_norm_backward(const NormGradients<T, U, Y, Accumulate<T>>& g, Launch launch) {
  with_pack<kPack<T>>(g.shape.channels,
                      {g.grad, g.grad_sum, g.x, g.factor, g.update, g.gate, g.grad_x, g.grad_update,
                       g.factor_sums, g.offset_sums, g.gate_sums},
                      [&](auto n) {
                        constexpr int N = decltype(n)::value;
                        launch(layer_norm_backward_kernel<T, U, Y, N>, norm_shape<N>(g.shape), g,
                               Accumulate<T>(1) / g.shape.channels);
                      });
}

/// Every kernel of this file, for tests/cuda/.
template <typename T, typename Launch>
void instantiate_layer_norm(Launch launch) {
  const auto of = [&](auto tokens, auto update, auto result) {
    using X = decltype(tokens);
    using U = decltype(update);
    using Y = decltype(result);
    launch_layer_norm(NormInput<X, U, Y, Accumulate<X>>{}, launch);
    launch_layer_norm_backward(NormGradients<X, U, Y, Accumulate<X>>{}, launch);
  };
  of(T(), T(), T());
  if constexpr (sizeof(T) == 2) {
    of(float(), T(), T());
    of(float(), T(), float());
  }
}

}  // namespace wf::cuda
