// Blocks whose threads share a tile of channels: threadIdx.x selects a pack of channels, and
// threadIdx.y, the row group, takes every kRowGroups-th row. A warp then reads contiguous memory.
#pragma once

#include "kernels/cuda/pack.cuh"

namespace wf::cuda {

constexpr int kTileWidth = 32, kRowGroups = 4, kTileThreads = kTileWidth * kRowGroups;

/// Shared memory in which row groups add up their sums of a tile: [kRowGroups][channels of the
/// tile].
template <typename A, int N>
struct RowGroupSums {
  static constexpr int kChannels = kTileWidth * N;
  A* shared;  // of kSize numbers, aligned to 16 bytes
  static constexpr int kSize = kRowGroups * kChannels;

  /// Called by all threads of the block, with a __syncthreads() before the next call.
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

/// The tile and sample of a block, and the first channel of the thread, which is beyond the last
/// channel for threads without work. `first` is a product with N so that nvcc sees the alignment;
/// otherwise it stores one number at a time.
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
