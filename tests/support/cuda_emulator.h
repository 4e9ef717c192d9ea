// CUDA device code on a machine without a GPU: include this before a .cuh (a comment between the
// two keeps clang-format from changing the order), compile with a plain C++ compiler together with
// cuda_emulator.cpp, and launch the kernel.
//
//   wf::emulator::launch(scale, blocks, 256, shared_bytes, values, 2.0f, count);
//
// Every CUDA thread is a thread of the system, so that the sanitizers see what goes wrong:
// AddressSanitizer an index outside a buffer or shared memory, ThreadSanitizer a missing barrier.
//
// What it does not see:
// - Races between blocks: they run one after another. WF_EMULATOR_ORDER=reverse runs the last one
//   first, which shows kernels that rely on the order.
// - `__shared__` arrays read before they are written: they are static, begin as zeros and keep what
//   the block before left. WF_DYNAMIC_SHARED memory is all NaN when a block begins.
// - A divergent barrier whose threads meet at another one of the same kind. Other divergence ends
//   the process with a line on stderr after WF_EMULATOR_TIMEOUT seconds (20) without progress.
// - What only a GPU has: limits of registers and memory, bank conflicts, its rounding of the fast
//   intrinsics. Warp operations want all 32 lanes: other masks and widths end the process.
#pragma once

#ifndef __CUDACC__

#define WF_CUDA_EMULATOR 1

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

// __noinline__ is left out: the standard library writes __attribute__((__noinline__)).
#define __global__
#define __device__
#define __host__
#define __shared__ static  // serves one block after another
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Aligned as on the GPU, so that UndefinedBehaviorSanitizer sees a vector load that is not.
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace wf::emulator {

/// Taken from the environment at first use: WF_EMULATOR_ORDER=reverse, WF_EMULATOR_TIMEOUT=seconds.
struct Options {
  bool reverse_blocks = false;
  std::chrono::milliseconds timeout{20000};
};
Options& options();

/// Runs `body` once for each thread of the grid and returns when all are done. An exception from
/// device code ends its thread, and the launch after that block, and comes out here.
/// Throws std::invalid_argument for an empty grid or block, or more than 1024 threads in a block.
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body);

/// kernel<<<grid, block, shared_bytes>>>(args...), and waits for it.
template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            Args... args) {
  run_grid(grid, block, shared_bytes, [&] { kernel(args...); });
}

// What device code calls, for the calling thread.

void* dynamic_shared_memory();
void sync_block();
void sync_warp(unsigned mask);

/// Waits until all lanes of the warp have given their bits, and returns those of `source`; all ones
/// when that lane has left the kernel or never was. Orders no other memory, as on the GPU.
uint64_t shuffle(unsigned mask, uint64_t bits, unsigned source, int width);
unsigned ballot(unsigned mask, bool predicate);
unsigned lane();

/// Counts the bytes that device code loads from and stores to `bytes` of memory from `begin` on
/// while this exists, as far as it does so by load() and store() of kernels/cuda/pack.cuh.
class Watch {
 public:
  Watch(const void* begin, size_t bytes);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  uint64_t loaded() const { return loaded_; }
  uint64_t stored() const { return stored_; }

 private:
  friend void note_load(const void* address, size_t bytes);
  friend void note_store(const void* address, size_t bytes);
  bool holds(const void* address) const;

  const char* begin_;
  size_t bytes_;
  std::atomic<uint64_t> loaded_{0}, stored_{0};
};
void note_load(const void* address, size_t bytes);
void note_store(const void* address, size_t bytes);

template <class T>
T shuffle_value(unsigned mask, T value, unsigned source, int width) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = shuffle(mask, bits, source, width);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace wf::emulator

// --- Barriers and warp operations -----------------------------------------------------------

inline void __syncthreads() { wf::emulator::sync_block(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { wf::emulator::sync_warp(mask); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize) {
  return wf::emulator::shuffle_value(mask, value, static_cast<unsigned>(source) % warpSize, width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const unsigned lane = wf::emulator::lane(), source = lane + delta;
  return wf::emulator::shuffle_value(mask, value, source < warpSize ? source : lane, width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize) {
  const unsigned source = wf::emulator::lane() ^ static_cast<unsigned>(lane_mask);
  return wf::emulator::shuffle_value(mask, value, source % warpSize, width);
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return wf::emulator::ballot(mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }

// --- Atomics, relaxed as on the GPU: they order no other memory -----------------------------

template <class T>
T atomicAdd(T* address, std::common_type_t<T> value) {
  static_assert(std::is_arithmetic_v<T>);
  T old;
  __atomic_load(address, &old, __ATOMIC_RELAXED);
  T sum = old + value;
  while (
      !__atomic_compare_exchange(address, &old, &sum, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    sum = old + value;
  }
  return old;
}

// --- Mathematics that <cmath> lacks ---------------------------------------------------------

using std::max;
using std::min;

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __expf(float x) noexcept { return std::exp(x); }
inline float __logf(float x) noexcept { return std::log(x); }
template <class T>
T __ldg(const T* address) {
  return *address;
}

#endif  // __CUDACC__
