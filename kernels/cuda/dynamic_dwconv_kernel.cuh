// Forward and gradient of x: one thread per pack of channels and strip of rows. It slides a window
// over the columns of three rows, with nine taps and three running sums in registers. Other
// gradients: one block per tile of channels of a sample and one strip per row group; the sums of
// the groups are reduced through shared memory by one thread per channel.
#pragma once

#include "kernels/cuda/row_groups.cuh"
#include "ops/dynamic_dwconv_params.h"

#include <cmath>

namespace wf::cuda {

// Four channels at most: with eight, taps and sums take 96 registers, and too few threads are
// left to hide the latency of the loads. A warp still reads 256 bytes at a time.
template <typename T>
constexpr int kDwconvPack = kPack<T> < 4 ? kPack<T> : 4;

// Taps are read and normalized once for so many rows, and a small batch still fills the GPU.
constexpr int kRowsPerStrip = 4;

// Rows [begin, end): part `i` of `count` nearly equal parts.
struct Rows {
  int begin, end;
};
__device__ inline Rows part_of_rows(int64_t i, int64_t count, int64_t height) {
  return {static_cast<int>(i * height / count), static_cast<int>((i + 1) * height / count)};
}

// Index of a thread's channels in [B, H, W, C]: relative to `base`, in 32 bits within a sample,
// which saves registers.
struct TokenIndexer {
  int64_t base;
  int width, channels;

  template <typename T, typename A>
  __device__ TokenIndexer(const DwconvInput<T, A>& in, int64_t sample, int64_t first)
      : base(sample * in.height * in.width * in.channels + first),
        width(static_cast<int>(in.width)),
        channels(static_cast<int>(in.channels)) {}
  __device__ int operator()(int row, int column) const { return (row * width + column) * channels; }
};

template <typename V>
struct Taps {
  V tap[9];
  V kernel[9], norm;  // as predicted; for the gradient of the normalization
};

template <int N, typename T, typename A>
__device__ Taps<Vec<A, N>> read_taps(const DwconvInput<T, A>& in, int64_t sample, int64_t first) {
  using V = Vec<A, N>;
  Taps<V> out;
  V square(0), factor(1);
  for (int t = 0; t < 9; ++t) {
    const auto at = (sample * 9 + t) * in.channels + first;
    out.kernel[t] = in.kernel ? load<N>(in.kernel + at) : square;
  }
  if (in.kernel) {
    for (const V& k : out.kernel) square = fmadd(k, k, square);
  }
  for (int i = 0; i < N; ++i) {
    out.norm.lane[i] = std::sqrt(square.lane[i]);
    factor.lane[i] = 1 / (out.norm.lane[i] + 1);
  }
  // After the kernel, not with it, so that the registers do not have to hold both.
  for (int t = 0; t < 9; ++t) {
    out.tap[t] = fmadd(out.kernel[t], factor, load<N>(in.weight + t * in.channels + first));
  }
  return out;
}

// Modulation and gate of a pack of channels; without them 1, 0 and 1.
template <typename V>
struct Modulation {
  V factor{1}, shift{0}, gate{1};
};
template <int N, typename T, typename A>
__device__ Modulation<Vec<A, N>> read_modulation(const DwconvInput<T, A>& in, int64_t sample,
                                                 int64_t first) {
  Modulation<Vec<A, N>> out;
  const int64_t at = sample * in.channels + first;
  if (in.scale) {
    out.factor = load<N>(in.scale + at) + Vec<A, N>(1);
    out.shift = load<N>(in.shift + at);
  }
  if (in.gate) out.gate = load<N>(in.gate + at);
  return out;
}

// output(row, column, start + Σ tap * input(row + i, column + j)) for the rows of a strip.
template <typename V, typename Input, typename Output>
__device__ void convolve(const Rows& rows, int height, int width, const V (&taps)[9],
                         const V& start, Input input, Output output) {
  for (int row = rows.begin; row < rows.end; ++row) {
    // Sums of the outputs at the column before, at this one and after it.
    V before = start, here = start;
    for (int column = 0; column < width; ++column) {
      // All loads first, so that their latencies overlap.
      const V x[3] = {row > 0 ? input(row - 1, column) : V(0), input(row, column),
                      row + 1 < height ? input(row + 1, column) : V(0)};
      V after = start;
      for (int i = 0; i < 3; ++i) {
        before = fmadd(x[i], taps[3 * i + 2], before);
        here = fmadd(x[i], taps[3 * i + 1], here);
        after = fmadd(x[i], taps[3 * i], after);
      }
      if (column > 0) output(row, column - 1, before);
      before = here;
      here = after;
    }
    output(row, width - 1, before);
  }
}

// The strip of a thread: N channels from `first` on, the rows of a sample; none of them for threads
// at the edge of the grid.
struct Strip {
  int64_t sample, first;
  Rows rows;
};
__host__ __device__ inline int64_t strip_count(int64_t height) {
  return ceil_div(height, kRowsPerStrip);
}
template <int N>
__device__ Strip strip_of_thread(int64_t height, int64_t channels) {
  const auto tile = tile_of_block<N>(channels);  // `sample` counts blocks of kRowGroups strips
  const int64_t strips = strip_count(height), blocks = ceil_div(strips, kRowGroups);
  const int64_t strip = tile.sample % blocks * kRowGroups + threadIdx.y;
  if (strip >= strips || tile.first >= channels) return {0, 0, {0, 0}};
  return {tile.sample / blocks, tile.first, part_of_rows(strip, strips, height)};
}
template <int N>
LaunchShape strip_shape(int64_t batch, int64_t height, int64_t channels) {
  return tile_shape<N>(batch * ceil_div(strip_count(height), kRowGroups), channels);
}

// Blocks per SM. Six leave 80 registers, four 128: with less, ptxas puts some into memory.
template <typename T, bool kPlain>
constexpr int kStripBlocks = kPlain && !std::is_same_v<T, double> ? 6 : 4;

// kPlain: neither modulation nor gate, so that the classifiers do not pay for them.
template <typename T, int N, bool kPlain>
__global__ void __launch_bounds__(kTileThreads, kStripBlocks<T, kPlain>)
    dwconv_kernel(DwconvInput<T, Accumulate<T>> in, T* y) {
  using V = Vec<Accumulate<T>, N>;
  const auto s = strip_of_thread<N>(in.height, in.channels);
  if (s.rows.begin == s.rows.end) return;
  auto taps = read_taps<N>(in, s.sample, s.first);
  V start = load<N>(in.bias + s.first);
  const auto m = read_modulation<N>(in, s.sample, s.first);
  if (!kPlain) {
    start = start * m.gate;
    for (auto& tap : taps.tap) tap = tap * m.gate;
  }
  const TokenIndexer place(in, s.sample, s.first);
  const T* from = in.x + place.base;
  T* to = y + place.base;
  const auto input = [&](int row, int column) {
    const V x = load<N>(from + place(row, column));
    return kPlain ? x : fmadd(x, m.factor, m.shift);
  };
  const auto output = [&](int row, int column, V sum) {
    const int at = place(row, column);
    if (in.residual) sum = sum + load<N>(from + at);
    store(to + at, sum);
  };
  convolve(s.rows, static_cast<int>(in.height), place.width, taps.tap, start, input, output);
}

// The gradient of x is the convolution of the output's gradient with the kernel flipped (rotated by
// 180°).
template <typename T, int N, bool kPlain>
__global__ void __launch_bounds__(kTileThreads, kStripBlocks<T, kPlain>)
    dwconv_grad_x_kernel(DwconvInput<T, Accumulate<T>> in, const T* grad, T* grad_x) {
  using V = Vec<Accumulate<T>, N>;
  const auto s = strip_of_thread<N>(in.height, in.channels);
  if (s.rows.begin == s.rows.end) return;
  const auto taps = read_taps<N>(in, s.sample, s.first);
  const auto m = read_modulation<N>(in, s.sample, s.first);
  V flipped[9];
  for (int t = 0; t < 9; ++t) {
    flipped[t] = kPlain ? taps.tap[8 - t] : taps.tap[8 - t] * m.gate * m.factor;
  }
  const TokenIndexer place(in, s.sample, s.first);
  const T* from = grad + place.base;
  T* to = grad_x + place.base;
  const auto input = [&](int row, int column) { return load<N>(from + place(row, column)); };
  const auto output = [&](int row, int column, V sum) {
    const int at = place(row, column);
    if (in.residual) sum = sum + load<N>(from + at);
    store(to + at, sum);
  };
  convolve(s.rows, static_cast<int>(in.height), place.width, flipped, V(0), input, output);
}

// sums[t] += Σ grad(row, column) * input(row + i, column + j), sums[9] += Σ grad. Without the
// partial sums of the CPU: a group has few rows, and the groups are added up afterwards.
template <typename V, typename Input, typename Grad>
__device__ void correlate(const Rows& rows, int height, int width, V (&sums)[10], Input input,
                          Grad grad) {
  const V zero(0);
  for (int row = rows.begin; row < rows.end; ++row) {
    V before = zero, here = grad(row, 0);
    for (int column = 0; column < width; ++column) {
      const V after = column + 1 < width ? grad(row, column + 1) : zero;
      const V x[3] = {row > 0 ? input(row - 1, column) : zero, input(row, column),
                      row + 1 < height ? input(row + 1, column) : zero};
      for (int i = 0; i < 3; ++i) {
        sums[3 * i] = fmadd(x[i], after, sums[3 * i]);
        sums[3 * i + 1] = fmadd(x[i], here, sums[3 * i + 1]);
        sums[3 * i + 2] = fmadd(x[i], before, sums[3 * i + 2]);
      }
      sums[9] = sums[9] + here;
      before = here;
      here = after;
    }
  }
}

// sums[t] += Σ grad(row, column) where (row + i, column + j) is inside the image: the result of
// correlate() for an input of ones.
template <typename V, typename Grad>
__device__ void correlate_ones(const Rows& rows, int height, int width, V (&sums)[9], Grad grad) {
  for (int row = rows.begin; row < rows.end; ++row) {
    V line[3] = {V(0), V(0), V(0)};
    for (int column = 0; column < width; ++column) {
      const V g = grad(row, column);
      if (column > 0) line[0] = line[0] + g;
      line[1] = line[1] + g;
      if (column + 1 < width) line[2] = line[2] + g;
    }
    for (int i = 0; i < 3; ++i) {
      if (row + i < 1 || row + i > height) continue;
      for (int j = 0; j < 3; ++j) sums[3 * i + j] = sums[3 * i + j] + line[j];
    }
  }
}

// Computes all gradients except that of x from the sums of one channel; `all` is the sum over the
// complete gradient. With y = gate * (Σ tap * (factor x + shift) + bias), each is a sum over the
// taps.
template <typename T, typename A>
__device__ void write_gradients(const DwconvInput<T, A>& in, const DwconvGradients<T, A>& out,
                                int64_t sample, int64_t channel, const A (&products)[9],
                                const A (&ones)[9], A all) {
  const auto taps = read_taps<1>(in, sample, channel);
  const auto m = read_modulation<1>(in, sample, channel);
  const A factor = m.factor.lane[0], shift = m.shift.lane[0], gate = m.gate.lane[0];
  const int64_t at = sample * in.channels + channel;
  const auto tap_at = [&](int t) { return (sample * 9 + t) * in.channels + channel; };
  A gate_sum = all * in.bias[channel], scale_sum = 0, shift_sum = 0, dot = 0;
  A tap_grad[9];
  for (int t = 0; t < 9; ++t) {
    const A tap = taps.tap[t].lane[0], sum = factor * products[t] + shift * ones[t];
    gate_sum += tap * sum;
    scale_sum += tap * products[t];
    shift_sum += tap * ones[t];
    tap_grad[t] = gate * sum;
    out.taps[tap_at(t)] = tap_grad[t];
  }
  out.bias[at] = gate * all;
  if (out.gate) out.gate[at] = gate_sum;
  if (out.scale) {
    out.scale[at] = gate * scale_sum;
    out.shift[at] = gate * shift_sum;
  }
  if (!out.kernel) return;
  // dK of K / (1 + n): dk / (1 + n) - K (K·dk) / (n (1 + n)²), and dk where n = 0.
  for (int t = 0; t < 9; ++t) dot += taps.kernel[t].lane[0] * tap_grad[t];
  const A n = taps.norm.lane[0], by = 1 / (n + 1), inner = n == 0 ? 0 : dot * by * by / n;
  for (int t = 0; t < 9; ++t) {
    out.kernel[tap_at(t)] = by * tap_grad[t] - taps.kernel[t].lane[0] * inner;
  }
}

// Five blocks leave 96 registers, four 128: with less, ptxas puts some into memory.
template <typename T, int N, bool kPlain>
__global__ void __launch_bounds__(kTileThreads, kPlain ? 5 : 4)
    dwconv_grad_taps_kernel(DwconvInput<T, Accumulate<T>> in,
                            DwconvGradients<T, Accumulate<T>> out) {
  using A = Accumulate<T>;
  using V = Vec<A, N>;
  using Sums = RowGroupSums<A, N>;
  static_assert(Sums::kChannels <= kTileThreads, "one thread per channel at the end");
  __shared__ __align__(16) A shared[Sums::kSize];
  const auto tile = tile_of_block<N>(in.channels);
  Rows rows{0, 0};
  if (tile.first < in.channels) rows = part_of_rows(threadIdx.y, kRowGroups, in.height);
  const TokenIndexer place(in, tile.sample, tile.first);
  const T *x = in.x + place.base, *grad = out.grad + place.base;
  const int height = static_cast<int>(in.height);
  const auto gradient = [&](int row, int column) { return load<N>(grad + place(row, column)); };

  // The sum over all groups for the one channel of the tile that the thread handles from here on.
  const int thread = threadIdx.y * kTileWidth + threadIdx.x;
  const auto total = [&](const V& value) {
    const Sums groups{shared};
    groups.write(value);
    const A sum = groups.template sum<1>(thread % Sums::kChannels).lane[0];
    __syncthreads();
    return sum;
  };
  A ones[9] = {}, products[9];
  if (!kPlain) {
    V sums[9];
    for (V& sum : sums) sum = V(0);
    correlate_ones(rows, height, place.width, sums, gradient);
    for (int t = 0; t < 9; ++t) ones[t] = total(sums[t]);
  }
  V sums[10];
  for (V& sum : sums) sum = V(0);
  correlate(
      rows, height, place.width, sums,
      [&](int row, int column) { return load<N>(x + place(row, column)); }, gradient);
  for (int t = 0; t < 9; ++t) products[t] = total(sums[t]);
  const A all = total(sums[9]);
  const int64_t channel = tile.first - threadIdx.x * N + thread;
  if (thread < Sums::kChannels && channel < in.channels) {
    write_gradients(in, out, tile.sample, channel, products, ones, all);
  }
}

/// launch(kernel, shape, params...)
template <typename T, typename Launch>
void launch_dwconv(const DwconvInput<T, Accumulate<T>>& in, T* y, Launch launch) {
  with_pack<kDwconvPack<T>>(in.channels,
                            {in.x, in.kernel, in.weight, in.bias, in.shift, in.scale, in.gate, y},
                            [&](auto n) {
                              constexpr int N = decltype(n)::value;
                              const bool plain = !in.scale && !in.gate;
                              launch(plain ? dwconv_kernel<T, N, true> : dwconv_kernel<T, N, false>,
                                     strip_shape<N>(in.batch, in.height, in.channels), in, y);
                            });
}

template <typename T, typename Launch>
void launch_dwconv_backward(const DwconvInput<T, Accumulate<T>>& in,
                            const DwconvGradients<T, Accumulate<T>>& out, Launch launch) {
  // The other gradients are written channel by channel.
  with_pack<kDwconvPack<T>>(
      in.channels,
      {in.x, in.kernel, in.weight, in.bias, in.shift, in.scale, in.gate, out.grad, out.x},
      [&](auto n) {
        constexpr int N = decltype(n)::value;
        const bool plain = !in.scale && !in.gate;
        launch(plain ? dwconv_grad_x_kernel<T, N, true> : dwconv_grad_x_kernel<T, N, false>,
               strip_shape<N>(in.batch, in.height, in.channels), in, out.grad, out.x);
        launch(plain ? dwconv_grad_taps_kernel<T, N, true> : dwconv_grad_taps_kernel<T, N, false>,
               tile_shape<N>(in.batch, in.channels), in, out);
      });
}

/// Every kernel of this file, for tests/cuda/.
template <typename T, typename Launch>
void instantiate_dynamic_dwconv(Launch launch) {
  using A = Accumulate<T>;
  launch_dwconv(DwconvInput<T, A>{}, static_cast<T*>(nullptr), launch);
  launch_dwconv_backward(DwconvInput<T, A>{}, DwconvGradients<T, A>{}, launch);
}

}  // namespace wf::cuda
