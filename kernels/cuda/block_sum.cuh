// Sums over the threads of a block.
#pragma once

#include "kernels/cuda/pack.cuh"

namespace wf::cuda {

constexpr int kWarp = 32;

/// Replaces each of K values by its sum over the block, in every thread and always in the same
/// order. The block is one row of warps, all of 32 threads. Every thread calls it; `shared` has K
/// numbers per warp and is free again after the block has met at one more barrier.
template <typename A, int K>
__device__ void block_sum(A (&values)[K], A* shared) {
  for (A& value : values) {
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      value += __shfl_xor_sync(0xFFFFFFFFu, value, distance);
    }
  }
  const int warps = static_cast<int>(blockDim.x) / kWarp, warp = threadIdx.x / kWarp;
  if (threadIdx.x % kWarp == 0) {
    for (int k = 0; k < K; ++k) shared[warp * K + k] = values[k];
  }
  __syncthreads();
  for (int k = 0; k < K; ++k) {
    values[k] = 0;
    for (int w = 0; w < warps; ++w) values[k] += shared[w * K + k];
  }
}

}  // namespace wf::cuda
