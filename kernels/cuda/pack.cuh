// Channels of a thread: loaded from any dtype, computed in float32 (or double), stored back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace wf::cuda {

template <typename T>
using Accumulate = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// N numbers in memory, moved with one instruction per 16 bytes.
template <typename T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Pack {
  T lane[N];
};

/// N numbers in registers.
template <typename A, int N>
struct Vec {
  A lane[N];

  Vec() = default;
  __device__ explicit Vec(A value) {
    for (int i = 0; i < N; ++i) lane[i] = value;
  }
};

template <typename A, int N>
__device__ Vec<A, N> operator+(const Vec<A, N>& a, const Vec<A, N>& b) {
  Vec<A, N> out;
  for (int i = 0; i < N; ++i) out.lane[i] = a.lane[i] + b.lane[i];
  return out;
}
template <typename A, int N>
__device__ Vec<A, N> operator*(const Vec<A, N>& a, const Vec<A, N>& b) {
  Vec<A, N> out;
  for (int i = 0; i < N; ++i) out.lane[i] = a.lane[i] * b.lane[i];
  return out;
}
/// a * b + c; compiles to one instruction.
template <typename A, int N>
__device__ Vec<A, N> fmadd(const Vec<A, N>& a, const Vec<A, N>& b, const Vec<A, N>& c) {
  Vec<A, N> out;
  for (int i = 0; i < N; ++i) out.lane[i] = a.lane[i] * b.lane[i] + c.lane[i];
  return out;
}

// Tests count the bytes that a kernel moves.
#ifdef WF_CUDA_EMULATOR
using emulator::note_load;
using emulator::note_store;
#else
__device__ inline void note_load(const void*, size_t) {}
__device__ inline void note_store(const void*, size_t) {}
#endif

template <int N, typename T>
__device__ Vec<Accumulate<T>, N> load(const T* from) {
  note_load(from, N * sizeof(T));
  const auto pack = *reinterpret_cast<const Pack<T, N>*>(from);
  Vec<Accumulate<T>, N> out;
  for (int i = 0; i < N; ++i) out.lane[i] = static_cast<Accumulate<T>>(pack.lane[i]);
  return out;
}
template <int N, typename T>
__device__ void store(T* to, const Vec<Accumulate<T>, N>& value) {
  Pack<T, N> pack;
  for (int i = 0; i < N; ++i) pack.lane[i] = static_cast<T>(value.lane[i]);
  note_store(to, N * sizeof(T));
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

/// As many as fit into 16 bytes.
template <typename T>
constexpr int kPack = static_cast<int>(16 / sizeof(T));

template <int N>
using PackSize = std::integral_constant<int, N>;

/// visit(PackSize<kWidest>()) if that size divides the channels and every pointer is aligned to it,
/// else visit(PackSize<1>()).
template <int kWidest, typename Visit>
void with_pack(int64_t channels, std::initializer_list<const void*> pointers, Visit visit) {
  bool packed = channels % kWidest == 0;
  for (const void* pointer : pointers) {
    packed = packed && reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
  }
  packed ? visit(PackSize<kWidest>()) : visit(PackSize<1>());
}

/// Grid and block of a launch: at most 2^31 threads, as kernels count them in 32 bits.
struct LaunchShape {
  int64_t blocks;
  dim3 block;
};

__host__ __device__ constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace wf::cuda
