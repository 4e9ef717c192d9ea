#include "support/cuda_emulator.h"

#include "kernels/cuda/shared_memory.cuh"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace {

using wf::emulator::launch;

constexpr unsigned kAll = 0xFFFFFFFFu;

std::vector<float> counting(int count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

__global__ void block_sums(const float* values, float* sums) {
  __shared__ float partial[256];
  const unsigned t = threadIdx.x;
  partial[t] = values[blockIdx.x * blockDim.x + t];
  for (unsigned stride = blockDim.x / 2; stride > 0; stride /= 2) {
    __syncthreads();
    if (t < stride) partial[t] += partial[t + stride];
  }
  if (t == 0) sums[blockIdx.x] = partial[0];
}

TEST(CudaEmulator, BlocksReduceThroughSharedMemory) {
  const auto values = counting(5 * 256);
  std::vector<float> sums(5), expected(5);
  for (int block = 0; block < 5; ++block) {
    const auto begin = values.begin() + block * 256;
    expected[block] = std::accumulate(begin, begin + 256, 0.0f);
  }
  launch(block_sums, 5, 256, 0, values.data(), sums.data());
  EXPECT_EQ(sums, expected);
}

template <class T>
__global__ void scale(T* values, T factor, int count) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<unsigned>(count);
       i += gridDim.x * blockDim.x) {
    values[i] *= factor;
  }
}

TEST(CudaEmulator, AGridStrideLoopCoversTheTail) {
  for (int count : {1, 31, 96, 97, 1000}) {
    auto values = counting(count), expected = values;
    for (float& value : expected) value *= 2;
    launch(scale<float>, 3, 32, 0, values.data(), 2.0f, count);
    EXPECT_EQ(values, expected) << count;
  }
}

template <class T>
__global__ void shuffles(const T* values, T* down, T* butterfly, T* rotated) {
  const unsigned t = threadIdx.x;
  T sum = values[t];
  for (int delta = 16; delta > 0; delta /= 2) sum += __shfl_down_sync(kAll, sum, delta);
  if (t % 32 == 0) down[t / 32] = sum;
  sum = values[t];
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(kAll, sum, mask);
  butterfly[t] = sum;
  rotated[t] = __shfl_sync(kAll, values[t], static_cast<int>(t) + 1);
}

template <class T>
class CudaEmulatorShuffle : public ::testing::Test {};
using ShuffledTypes = ::testing::Types<float, double, int, unsigned>;
TYPED_TEST_SUITE(CudaEmulatorShuffle, ShuffledTypes);

TYPED_TEST(CudaEmulatorShuffle, ReducesEachWarpAndRotatesIt) {
  using T = TypeParam;
  std::vector<T> values(96), down(3), butterfly(96), rotated(96);
  for (int i = 0; i < 96; ++i) values[i] = static_cast<T>(i * i);
  launch(shuffles<T>, 1, 96, 0, values.data(), down.data(), butterfly.data(), rotated.data());
  for (int i = 0; i < 96; ++i) {
    const auto warp = values.begin() + i / 32 * 32;
    const T expected = std::accumulate(warp, warp + 32, T{0});
    EXPECT_EQ(down[i / 32], expected);
    EXPECT_EQ(butterfly[i], expected) << i;
    EXPECT_EQ(rotated[i], warp[(i + 1) % 32]) << i;
  }
}

__global__ void ask_lanes_that_are_gone(float* from_last, unsigned* votes) {
  if (threadIdx.x >= 20) return;
  const float value = __shfl_sync(kAll, static_cast<float>(threadIdx.x), 31);
  const unsigned even = __ballot_sync(kAll, threadIdx.x % 2 == 0);
  from_last[threadIdx.x] = value;
  votes[threadIdx.x] = __any_sync(kAll, threadIdx.x == 25) ? 0 : even;
}

TEST(CudaEmulator, ALaneThatHasLeftGivesNanAndNoVote) {
  for (int threads : {20, 32}) {  // lanes that never were, and lanes that returned
    std::vector<float> from_last(20);
    std::vector<unsigned> votes(20);
    launch(ask_lanes_that_are_gone, 1, threads, 0, from_last.data(), votes.data());
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(std::isnan(from_last[i])) << i;
      EXPECT_EQ(votes[i], 0x55555u) << i;
    }
  }
}

__global__ void neighbours(const float* values, float* sums, int count) {
  WF_DYNAMIC_SHARED(float, tile);
  const int t = static_cast<int>(threadIdx.x);
  if (t >= count) return;
  tile[t] = values[t];
  __syncthreads();
  sums[t] = tile[t] + tile[(t + 1) % count];
  __syncwarp();
}

TEST(CudaEmulator, ThreadsThatReturnEarlyDoNotHoldTheOthersUp) {
  for (int count : {1, 33, 100, 255}) {
    const auto values = counting(count);
    std::vector<float> sums(count);
    launch(neighbours, 1, 256, count * sizeof(float), values.data(), sums.data(), count);
    for (int i = 0; i < count; ++i) EXPECT_EQ(sums[i], values[i] + values[(i + 1) % count]);
  }
}

__global__ void keep_what_was_there(float* found) {
  WF_DYNAMIC_SHARED(float, memory);
  found[blockIdx.x * blockDim.x + threadIdx.x] = memory[threadIdx.x];
  memory[threadIdx.x] = 1.0f;
}

TEST(CudaEmulator, DynamicSharedMemoryIsNanWhenABlockBegins) {
  std::vector<float> found(4 * 64);
  launch(keep_what_was_there, 4, 64, 64 * sizeof(float), found.data());
  for (float value : found) EXPECT_TRUE(std::isnan(value));
}

__global__ void write_indices(int* out, int width, int height) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  const int z = static_cast<int>(blockIdx.z * blockDim.z + threadIdx.z);
  out[(z * height + y) * width + x] = x + 100 * y + 10000 * z;
}

TEST(CudaEmulator, IndexesInThreeDimensions) {
  const int width = 3 * 8, height = 2 * 4, depth = 2 * 2;
  std::vector<int> out(width * height * depth, -1);
  launch(write_indices, dim3(3, 2, 2), dim3(8, 4, 2), 0, out.data(), width, height);
  for (int i = 0; i < width * height * depth; ++i) {
    EXPECT_EQ(out[i], i % width + 100 * (i / width % height) + 10000 * (i / width / height));
  }
}

__global__ void count_up(int* integer, float* real) {
  atomicAdd(integer, 1);
  atomicAdd(real, 0.5f);
}

TEST(CudaEmulator, AtomicAddCountsEveryThread) {
  int integer = 0;
  float real = 0;
  launch(count_up, 10, 256, 0, &integer, &real);
  EXPECT_EQ(integer, 2560);
  EXPECT_EQ(real, 1280.0f);
}

__global__ void note_block(int* order, int* next) {
  if (threadIdx.x == 0) order[(*next)++] = static_cast<int>(blockIdx.x);
}

TEST(CudaEmulator, RunsBlocksBackwardsWhenAsked) {
  const bool before = wf::emulator::options().reverse_blocks;
  for (bool reverse : {false, true}) {
    wf::emulator::options().reverse_blocks = reverse;
    std::vector<int> order(3);
    int next = 0;
    launch(note_block, 3, 32, 0, order.data(), &next);
    EXPECT_EQ(order, reverse ? (std::vector<int>{2, 1, 0}) : (std::vector<int>{0, 1, 2}));
  }
  wf::emulator::options().reverse_blocks = before;
}

__global__ void throw_from_one(int* reached) {
  if (threadIdx.x == 7) throw std::runtime_error("seven");
  __syncthreads();
  atomicAdd(reached, 1);
}

TEST(CudaEmulator, RethrowsAnExceptionAndContinues) {
  int reached = 0;
  EXPECT_THROW(launch(throw_from_one, 2, 64, 0, &reached), std::runtime_error);
  EXPECT_EQ(reached, 63);
  launch(count_up, 1, 64, 0, &reached, std::vector<float>(1).data());
  EXPECT_EQ(reached, 63 + 64);
}

TEST(CudaEmulator, RefusesBlocksThatNoGpuRuns) {
  int order = 0, next = 0;
  EXPECT_THROW(launch(note_block, 0, 32, 0, &order, &next), std::invalid_argument);
  EXPECT_THROW(launch(note_block, 1, 1025, 0, &order, &next), std::invalid_argument);
}

__global__ void diverge() {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __shfl_down_sync(kAll, 1.0f, 1);
  }
}

TEST(CudaEmulatorDeathTest, ADivergentBarrierEndsWithALine) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto stuck = [] {
    wf::emulator::options().timeout = std::chrono::milliseconds(200);
    launch(diverge, 1, 64, 0);
  };
  EXPECT_DEATH(stuck(), "no progress for 200 ms: 16 threads wait at __syncthreads, 16 at warp");
}

__global__ void half_a_warp() { __syncwarp(0x0000FFFFu); }

TEST(CudaEmulatorDeathTest, APartialWarpEndsWithALine) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(launch(half_a_warp, 1, 32, 0), "other than all 32 lanes is not emulated");
}

__global__ void ten_barriers() {
  for (int i = 0; i < 10; ++i) __syncthreads();
}

// Ends, or the emulator's own time-out ends it; 0.3 s on two free cores.
TEST(CudaEmulator, RunsManyBlocksWithManyBarriersToTheEnd) { launch(ten_barriers, 50, 256, 0); }

}  // namespace
