#include "kernels/cpu/capability.h"

#include <ATen/Version.h>

#include <list>
#include <string>

namespace wf {

CpuKernels::CpuKernels(const char* library, const char* capability, void (*add)(torch::Library&)) {
  static const std::string in_use = at::get_cpu_capability();
  // Processors without AVX have other names there; they run the default build.
  const std::string wanted = in_use == "AVX2" || in_use == "AVX512" ? in_use : "DEFAULT";
  if (wanted != capability) return;
  // Registrations last as long as their Library does.
  static auto* libraries = new std::list<torch::Library>;
  libraries->emplace_back(torch::Library::IMPL, library, c10::DispatchKey::CPU, __FILE__, __LINE__);
  add(libraries->back());
}

}  // namespace wf
