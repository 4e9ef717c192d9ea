// Dynamic shared memory, for nvcc and for the CPU emulator that the tests run device code on.
#pragma once

/// Inside a kernel: `T* name`, the bytes requested by the launch, aligned to 16. Use it once per
/// kernel: every use refers to the same bytes.
#ifdef __CUDACC__
#define WF_DYNAMIC_SHARED(T, name)                                 \
  extern __shared__ __align__(16) unsigned char wf_shared_bytes[]; \
  T* const name = reinterpret_cast<T*>(wf_shared_bytes)
#elif defined(WF_CUDA_EMULATOR)
#define WF_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::wf::emulator::dynamic_shared_memory())
#else
#error "Without nvcc, include support/cuda_emulator.h before device code."
#endif
