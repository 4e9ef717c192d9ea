// Blocks whose threads share a tile of channels: threadIdx.x takes a pack of them, threadIdx.y, the
// row group, every so many rows. A warp then reads one stretch of memory.
#pragma once

#include "kernels/cuda/pack.cuh"

namespace wf::cuda {

constexpr int kTileWidth = 32, kRowGroups = 4, kTileThreads = kTileWidth * kRowGroups;

/// Where row groups add up their sums of a tile: [kRowGroups][channels of the tile].
template <typename A, int N>
struct RowGroupSums {
  static constexpr int kChannels = kTileWidth * N;
  A* shared;  // of kSize numbers, aligned to 16 bytes
  static constexpr int kSize = kRowGroups * kChannels;

  /// All threads of the block call it, with a __syncthreads() before the next time.
  __device__ void write(const Vec<A, N>& value) const {
    store(shared + threadIdx.y * kChannels + threadIdx.x * N, value);
    __syncthreads();
  }
  /// The sums of K channels of the tile, always in the order of the groups.
  template <int K>
  __device__ Vec<A, K> sum(int channel) const {
    Vec<A, K> total(0);
    for (int group = 0; group < kRowGroups; ++group) {
      total = total + load<K>(shared + group * kChannels + channel);
    }
    return total;
  }
};

/// Which tile of which sample a block has, and where the thread's channels begin: beyond the last
/// channel for threads that have none. `first` is a product with N so that nvcc sees the alignment,
/// without which it stores one number at a time.
struct Tile {
  int64_t sample, first;
};
template <int N>
__device__ inline Tile tile_of_block(int64_t channels) {
  const auto tiles = static_cast<unsigned>(ceil_div(channels, kTileWidth * N));
  return {blockIdx.x / tiles, int64_t{blockIdx.x % tiles * kTileWidth + threadIdx.x} * N};
}
template <int N>
LaunchShape tile_shape(int64_t batch, int64_t channels) {
  return {batch * ceil_div(channels, kTileWidth * N), dim3(kTileWidth, kRowGroups)};
}

}  // namespace wf::cuda
