// Forward: one thread per cell and pack of channels. Backward: one per token and pack.
#pragma once

#include "kernels/cuda/pack.cuh"
#include "ops/grid_pool3_windows.h"

namespace wf::cuda {

template <typename T>
struct GridPool3Params {
  const T* from;
  T* to;
  int64_t batch, height, width, channels;
  PoolWindow rows[3], columns[3];  // computed once by the host
};

template <typename T>
GridPool3Params<T> grid_pool3_params(const T* from, T* to, int64_t batch, int64_t height,
                                     int64_t width, int64_t channels) {
  GridPool3Params<T> p{from, to, batch, height, width, channels, {}, {}};
  for (int i = 0; i < 3; ++i) {
    p.rows[i] = pool_window(i, height);
    p.columns[i] = pool_window(i, width);
  }
  return p;
}

template <typename A>
__device__ A one_over_area(const PoolWindow& rows, const PoolWindow& columns) {
  return 1 / static_cast<A>((rows.end - rows.begin) * (columns.end - columns.begin));
}

constexpr int kGridPool3Threads = 256;

// Four blocks of 256 leave 64 registers for the loads in flight.
template <typename T, int N>
__global__ void __launch_bounds__(kGridPool3Threads, 4) grid_pool3_kernel(GridPool3Params<T> p) {
  using V = Vec<Accumulate<T>, N>;
  const unsigned packs = p.channels / N, i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned cell = i / packs, channel = i % packs * N;
  if (cell / 9 >= p.batch) return;
  // Not from `p`: an index known only here would put its windows into local memory.
  const auto rows = pool_window(cell % 9 / 3, p.height), columns = pool_window(cell % 3, p.width);
  const T* image = p.from + cell / 9 * p.height * p.width * p.channels + channel;
  V sum(0);
  for (int row = static_cast<int>(rows.begin); row < rows.end; ++row) {
    // Row by row, so that the rounding error does not grow with the image.
    V part(0);
    const T* from = image + (row * p.width + columns.begin) * p.channels;
    for (int i = 0; i < columns.end - columns.begin; ++i, from += p.channels) {
      part = part + load<N>(from);
    }
    sum = sum + part;
  }
  store(p.to + cell * p.channels + channel, sum * V(one_over_area<Accumulate<T>>(rows, columns)));
}

// from: [B, 9, C], the gradient.
template <typename T, int N>
__global__ void __launch_bounds__(kGridPool3Threads, 4)
    grid_pool3_backward_kernel(GridPool3Params<T> p) {
  using V = Vec<Accumulate<T>, N>;
  const unsigned packs = p.channels / N, i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned token = i / packs, channel = i % packs * N;
  const unsigned line = token / static_cast<unsigned>(p.width);
  const unsigned sample = line / static_cast<unsigned>(p.height);
  if (sample >= p.batch) return;
  const int64_t row = line % static_cast<unsigned>(p.height);
  const int64_t column = token % static_cast<unsigned>(p.width);
  const auto covers = [](const PoolWindow& w, int64_t at) { return w.begin <= at && at < w.end; };
  const T* cells = p.from + int64_t{sample} * 9 * p.channels + channel;
  V sum(0);
  for (int r = 0; r < 3; ++r) {
    if (!covers(p.rows[r], row)) continue;
    for (int c = 0; c < 3; ++c) {
      if (!covers(p.columns[c], column)) continue;
      sum = fmadd(load<N>(cells + (3 * r + c) * p.channels),
                  V(one_over_area<Accumulate<T>>(p.rows[r], p.columns[c])), sum);
    }
  }
  store(p.to + token * p.channels + channel, sum);
}

/// launch(kernel, shape, params)
template <typename T, typename Launch>
void launch_grid_pool3(const GridPool3Params<T>& p, Launch launch) {
  with_pack<kPack<T>>(p.channels, {p.from, p.to}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const int64_t threads = p.batch * 9 * (p.channels / N);
    launch(grid_pool3_kernel<T, N>,
           LaunchShape{ceil_div(threads, kGridPool3Threads), kGridPool3Threads}, p);
  });
}

template <typename T, typename Launch>
void launch_grid_pool3_backward(const GridPool3Params<T>& p, Launch launch) {
  with_pack<kPack<T>>(p.channels, {p.from, p.to}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const int64_t threads = p.batch * p.height * p.width * (p.channels / N);
    launch(grid_pool3_backward_kernel<T, N>,
           LaunchShape{ceil_div(threads, kGridPool3Threads), kGridPool3Threads}, p);
  });
}

/// Every kernel of this file, for tests/cuda/.
template <typename T, typename Launch>
void instantiate_grid_pool3(Launch launch) {
  launch_grid_pool3(GridPool3Params<T>{}, launch);
  launch_grid_pool3_backward(GridPool3Params<T>{}, launch);
}

}  // namespace wf::cuda
