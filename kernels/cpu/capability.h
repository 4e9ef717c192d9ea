// The files *_kernel.cpp of this directory are compiled once for each instruction set; the program
// uses the best set that the processor supports according to PyTorch (ATEN_CPU_CAPABILITY=avx2 etc.
// select a lower one).
#pragma once

#include <torch/library.h>

namespace wf {

/// Runs `add` on `library`, a namespace, for CPU tensors when `capability` is the one in use.
/// Compiled for any processor, unlike the caller, which must not execute an instruction of its own
/// set before this.
class CpuKernels {
 public:
  CpuKernels(const char* library, const char* capability, void (*add)(torch::Library&));
};

}  // namespace wf

#define WF_STRING_OF(text) #text
#define WF_STRING(text) WF_STRING_OF(text)

/// Like TORCH_LIBRARY_IMPL(wf, CPU, m), for the instruction set that the file is compiled for.
#define WF_CPU_KERNELS(m) WF_CPU_KERNELS_OF("wf", m)
/// The same for operators that no other program calls.
#define WF_INTERNAL_CPU_KERNELS(m) WF_CPU_KERNELS_OF("wf_internal", m)
#define WF_CPU_KERNELS_OF(library, m)                                                              \
  static void add_cpu_kernels(torch::Library&);                                                    \
  static const ::wf::CpuKernels cpu_kernels(library, WF_STRING(CPU_CAPABILITY), &add_cpu_kernels); \
  static void add_cpu_kernels(torch::Library& m)
