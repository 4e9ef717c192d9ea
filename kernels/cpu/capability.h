// The files *_kernel.cpp of this directory are compiled once for each instruction set; the program
// uses the best set that the processor supports according to PyTorch (ATEN_CPU_CAPABILITY=avx2 etc.
// select a lower one).
#pragma once

#include <torch/library.h>

namespace wf {

/// Runs `add` on namespace wf for CPU tensors when `capability` is the one in use. Compiled for any
/// processor, unlike the caller, which must not execute an instruction of its own set before this.
class CpuKernels {
 public:
  CpuKernels(const char* capability, void (*add)(torch::Library&));
};

}  // namespace wf

#define WF_STRING_OF(text) #text
#define WF_STRING(text) WF_STRING_OF(text)

/// Like TORCH_LIBRARY_IMPL(wf, CPU, m), for the instruction set that the file is compiled for.
#define WF_CPU_KERNELS(m)                                                                 \
  static void add_cpu_kernels(torch::Library&);                                           \
  static const ::wf::CpuKernels cpu_kernels(WF_STRING(CPU_CAPABILITY), &add_cpu_kernels); \
  static void add_cpu_kernels(torch::Library& m)
