// One block per tile of columns of a sample; its row groups take every fourth row, in two passes:
// one for the sum over a column, one to scale by it.
#pragma once

#include "kernels/cuda/row_groups.cuh"

#include <cmath>

namespace wf::cuda {

/// The tensors are documented in src/ops/column_gain_kernel.h.
template <typename T>
struct ColumnGainParams {
  using A = Accumulate<T>;
  const T* right;
  const A* product;
  T* gained;
  A* norm;
  A scale;
  int64_t batch, rows, columns;
};

template <typename T>
struct ColumnGainBackwardParams {
  using A = Accumulate<T>;
  const T *grad, *right;
  const A *product, *norm;
  T* grad_right;
  A* weighted;
  A scale;
  int64_t batch, rows, columns;
};

// visit(index) of the thread's columns in each of its rows.
template <typename Params, typename Visit>
__device__ void for_each_row(const Params& p, const Tile& tile, Visit visit) {
  if (tile.first >= p.columns) return;
  for (int64_t row = threadIdx.y; row < p.rows; row += kRowGroups) {
    visit((tile.sample * p.rows + row) * p.columns + tile.first);
  }
}

// Eight blocks of 128 leave 64 registers: two packs of eight, their sums and loads in flight.
template <typename T, int N>
__global__ void __launch_bounds__(kTileThreads, 8) column_gain_kernel(ColumnGainParams<T> p) {
  using A = Accumulate<T>;
  using V = Vec<A, N>;
  __shared__ __align__(16) A shared[RowGroupSums<A, N>::kSize];
  const RowGroupSums<A, N> sums{shared};
  const auto tile = tile_of_block<N>(p.columns);
  V square(0);
  for_each_row(p, tile, [&](int64_t at) {
    square = fmadd(load<N>(p.right + at), load<N>(p.product + at), square);
  });
  sums.write(square);
  square = sums.template sum<N>(threadIdx.x * N);
  V norm, factor;
  for (int i = 0; i < N; ++i) {
    // Rounding may leave a little below zero.
    norm.lane[i] = square.lane[i] < 0 ? 0 : std::sqrt(square.lane[i]) * p.scale;
    factor.lane[i] = 1 / (norm.lane[i] + 1);
  }
  if (threadIdx.y == 0 && tile.first < p.columns) {
    store(p.norm + tile.sample * p.columns + tile.first, norm);
  }
  for_each_row(p, tile, [&](int64_t at) { store(p.gained + at, load<N>(p.right + at) * factor); });
}

template <typename T, int N>
__global__ void __launch_bounds__(kTileThreads, 8)
    column_gain_backward_kernel(ColumnGainBackwardParams<T> p) {
  using A = Accumulate<T>;
  using V = Vec<A, N>;
  __shared__ __align__(16) A shared[RowGroupSums<A, N>::kSize];
  const RowGroupSums<A, N> sums{shared};
  const auto tile = tile_of_block<N>(p.columns);
  V dot(0);
  for_each_row(p, tile,
               [&](int64_t at) { dot = fmadd(load<N>(p.right + at), load<N>(p.grad + at), dot); });
  sums.write(dot);
  if (tile.first >= p.columns) return;
  dot = sums.template sum<N>(threadIdx.x * N);
  const V norm = load<N>(p.norm + tile.sample * p.columns + tile.first);
  V factor, a;
  for (int i = 0; i < N; ++i) {
    // gained = right * factor(ν) gives dν = -dot / (1 + ν)²; a = scale² dν / (2ν), 0 where ν = 0.
    const A nu = norm.lane[i];
    factor.lane[i] = 1 / (nu + 1);
    const A d_nu = -dot.lane[i] * factor.lane[i] * factor.lane[i];
    a.lane[i] = nu == 0 ? 0 : d_nu * (p.scale * p.scale / 2) / nu;
  }
  for_each_row(p, tile, [&](int64_t at) {
    const V inner = load<N>(p.product + at) * a * V(2);
    store(p.grad_right + at, fmadd(load<N>(p.grad + at), factor, inner));
    store(p.weighted + at, load<N>(p.right + at) * a);
  });
}

/// launch(kernel, shape, params)
template <typename T, typename Launch>
void launch_column_gain(const ColumnGainParams<T>& p, Launch launch) {
  with_pack<kPack<T>>(p.columns, {p.right, p.product, p.gained, p.norm}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    launch(column_gain_kernel<T, N>, tile_shape<N>(p.batch, p.columns), p);
  });
}

template <typename T, typename Launch>
void launch_column_gain_backward(const ColumnGainBackwardParams<T>& p, Launch launch) {
  with_pack<kPack<T>>(
      p.columns, {p.grad, p.right, p.product, p.norm, p.grad_right, p.weighted}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        launch(column_gain_backward_kernel<T, N>, tile_shape<N>(p.batch, p.columns), p);
      });
}

/// Every kernel of this file, for tests/cuda/.
template <typename T, typename Launch>
void instantiate_column_gain(Launch launch) {
  launch_column_gain(ColumnGainParams<T>{}, launch);
  launch_column_gain_backward(ColumnGainBackwardParams<T>{}, launch);
}

}  // namespace wf::cuda
