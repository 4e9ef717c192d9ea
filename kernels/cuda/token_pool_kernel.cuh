// Both kernels: one thread per 2 x 2 cell and pack of channels.
#pragma once

#include "kernels/cuda/pack.cuh"

namespace wf::cuda {

template <typename T>
struct TokenPoolParams {
  const T* from;
  T* to;
  int64_t batch, height, width, channels;
};
template <typename T>
TokenPoolParams(const T*, T*, int64_t, int64_t, int64_t, int64_t) -> TokenPoolParams<T>;

constexpr int kTokenPoolThreads = 256;

// The pack of channels from `channel` on of a cell; of the cells counted over all samples, `cell`.
struct PoolCell {
  unsigned sample, row, column, channel, cell;
};
template <int N>
__device__ inline PoolCell pool_cell(int64_t channels, int64_t rows, int64_t columns) {
  const unsigned packs = channels / N, i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned cell = i / packs, line = cell / static_cast<unsigned>(columns);
  return {line / static_cast<unsigned>(rows), line % static_cast<unsigned>(rows),
          cell % static_cast<unsigned>(columns), i % packs * N, cell};
}

// Four blocks of 256 leave 64 registers for the loads in flight.
template <typename T, int N>
__global__ void __launch_bounds__(kTokenPoolThreads, 4) token_pool_kernel(TokenPoolParams<T> p) {
  const auto at = pool_cell<N>(p.channels, p.height / 2, p.width / 2);
  if (at.sample >= p.batch) return;
  const int64_t line = p.width * p.channels;
  const T* upper = p.from + (at.sample * p.height + 2 * at.row) * line +
                   int64_t{2} * at.column * p.channels + at.channel;
  const T* lower = upper + line;
  const auto sum =
      load<N>(upper) + load<N>(upper + p.channels) + load<N>(lower) + load<N>(lower + p.channels);
  store(p.to + at.cell * p.channels + at.channel, sum * Vec<Accumulate<T>, N>(0.25));
}

// from: [B, rows * columns, C], the gradient; the tokens of an odd last row or column get zeros.
template <typename T, int N>
__global__ void __launch_bounds__(kTokenPoolThreads, 4)
    token_pool_backward_kernel(TokenPoolParams<T> p) {
  using V = Vec<Accumulate<T>, N>;
  const auto at = pool_cell<N>(p.channels, (p.height + 1) / 2, (p.width + 1) / 2);
  if (at.sample >= p.batch) return;
  const int64_t rows = p.height / 2, columns = p.width / 2;
  V part(0);
  if (at.row < rows && at.column < columns) {
    const int64_t cell = (at.sample * rows + at.row) * columns + at.column;
    part = load<N>(p.from + cell * p.channels + at.channel) * V(0.25);
  }
  for (int64_t row = 2 * at.row; row < min(p.height, 2 * int64_t{at.row} + 2); ++row) {
    for (int64_t column = 2 * at.column; column < min(p.width, 2 * int64_t{at.column} + 2);
         ++column) {
      const int64_t token = (at.sample * p.height + row) * p.width + column;
      store(p.to + token * p.channels + at.channel, part);
    }
  }
}

/// launch(kernel, shape, params)
template <typename T, typename Launch>
void launch_token_pool(const TokenPoolParams<T>& p, Launch launch) {
  with_pack<kPack<T>>(p.channels, {p.from, p.to}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const int64_t threads = p.batch * (p.height / 2) * (p.width / 2) * (p.channels / N);
    launch(token_pool_kernel<T, N>,
           LaunchShape{ceil_div(threads, kTokenPoolThreads), kTokenPoolThreads}, p);
  });
}

template <typename T, typename Launch>
void launch_token_pool_backward(const TokenPoolParams<T>& p, Launch launch) {
  with_pack<kPack<T>>(p.channels, {p.from, p.to}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const int64_t threads = p.batch * ((p.height + 1) / 2) * ((p.width + 1) / 2) * (p.channels / N);
    launch(token_pool_backward_kernel<T, N>,
           LaunchShape{ceil_div(threads, kTokenPoolThreads), kTokenPoolThreads}, p);
  });
}

/// Every kernel of this file, for tests/cuda/.
template <typename T, typename Launch>
void instantiate_token_pool(Launch launch) {
  launch_token_pool(TokenPoolParams<T>{}, launch);
  launch_token_pool_backward(TokenPoolParams<T>{}, launch);
}

}  // namespace wf::cuda
