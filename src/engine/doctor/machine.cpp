#include "weightformer/core/check.h"

#include "core/parallel.h"
#include "dist/backend.h"
#include "engine/doctor/finding.h"
#include "runtime/available_memory.h"
#include "runtime/cpu_threads.h"

#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace wf {
namespace {

namespace fs = std::filesystem;

// "2.11.0" of "2.11.0+cpu".
std::string release(const std::string& version) { return version.substr(0, version.find('+')); }

// The version that a LibTorch directory names; "" when it names none.
std::string version_in(const fs::path& root) {
  std::ifstream build(root / "build-version");  // of the zip archive
  std::string line;
  if (std::getline(build, line)) return line;
  std::ifstream wheel(root / "version.py");
  const std::string key = "__version__ = '";
  while (std::getline(wheel, line)) {
    if (line.rfind(key, 0) == 0) return line.substr(key.size(), line.rfind('\'') - key.size());
  }
  return "";
}

std::string path_of_libtorch() {
  Dl_info info{};
  const auto address = reinterpret_cast<void*>(&at::get_cpu_capability);
  return ::dladdr(address, &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

const char* best_instructions() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq")) {
    return "AVX512";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2";
#endif
  return "DEFAULT";
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Finding check_libtorch(const std::string& path, const std::string& compiled) {
  const auto loaded = version_in(fs::path(path).parent_path().parent_path());
  const auto what =
      fmt::format("LibTorch {}, {}", loaded.empty() ? "of unknown version" : loaded, path);
  if (loaded.empty() || release(loaded) == release(compiled)) {
    return {Severity::fine, "LibTorch", what, ""};
  }
  return {Severity::fault, "LibTorch", what,
          fmt::format(
              "the programs were compiled for {}: remove the other one from LD_LIBRARY_PATH, or "
              "build again",
              compiled)};
}

Finding check_cuda() {
  if (torch::cuda::is_available()) {
    return {
        Severity::fine, "GPU",
        fmt::format("{} usable; {}", torch::cuda::device_count(),
                    has_nccl() ? "with NCCL" : "without NCCL, so one process trains on one GPU"),
        ""};
  }
  std::error_code ignored;
  if (!fs::exists("/dev/nvidia0", ignored)) {
    return {Severity::fine, "GPU", "none; programs use the CPU", ""};
  }
  return {Severity::warning, "GPU", "there is one, and it cannot be used",
          "build with -DWF_CUDA=ON and a LibTorch with CUDA, and check the driver with nvidia-smi"};
}

Finding check_instructions(const std::string& used, const std::string& wanted) {
  const std::string best = best_instructions();
  const auto what = fmt::format("kernels for {} are used", used);
  if (used == best || best == "DEFAULT") return {Severity::fine, "CPU", what, ""};
  return {Severity::warning, "CPU", fmt::format("{}, and this processor has {}", what, best),
          wanted.empty() ? "LibTorch did not choose them: use its wheel for this processor"
                         : fmt::format("ATEN_CPU_CAPABILITY is {}: unset it", wanted)};
}

Finding check_threads(int threads, int cpus) {
  const auto what =
      fmt::format("{} for {} CPUs that this process may use ({})", threads, cpus, waiting_policy());
  if (threads <= cpus) return {Severity::fine, "threads", what, ""};
  return {
      Severity::warning, "threads", what,
      fmt::format("they take turns, which is slower: unset OMP_NUM_THREADS and MKL_NUM_THREADS, or "
                  "set THREADS {}",
                  cpus)};
}

Finding check_memory(double mib) {
  constexpr double kLittle = 1024;
  const auto what = fmt::format("{:.0f} MiB available", mib);
  if (mib >= kLittle) return {Severity::fine, "memory", what, ""};
  return {Severity::warning, "memory", what,
          "end other programs, raise the limit of the container (or ulimit -v), or train with "
          "--batch-size auto"};
}

Finding check_open_files(int64_t limit) {
  constexpr int64_t kFew = 256;
  const auto what = fmt::format("{} may be open at a time", limit);
  if (limit >= kFew) return {Severity::fine, "files", what, ""};
  return {Severity::warning, "files", what, "raise the limit: ulimit -n 4096"};
}

Finding check_shared_memory(const std::string& directory, int gpus) {
  constexpr double kEach = 64;  // MiB for a GPU
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) {
    return {gpus > 1 ? Severity::fault : Severity::fine, "shared memory", directory + " is missing",
            gpus > 1 ? "NCCL needs it: mount a tmpfs there" : ""};
  }
  const double mib =
      static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize) / (1 << 20);
  const auto what = fmt::format("{:.0f} MiB free in {}", mib, directory);
  if (gpus < 2 || mib >= kEach * gpus) return {Severity::fine, "shared memory", what, ""};
  return {
      Severity::warning, "shared memory", what,
      fmt::format("NCCL needs about {:.0f} MiB for {} GPUs: start the container with --shm-size=1g",
                  kEach * gpus, gpus)};
}

Findings check_machine() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const auto limit =
      files.rlim_cur == RLIM_INFINITY ? INT64_MAX : static_cast<int64_t>(files.rlim_cur);
  const int gpus = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  return {check_libtorch(path_of_libtorch(), TORCH_VERSION),
          check_cuda(),
          check_instructions(at::get_cpu_capability(), environment("ATEN_CPU_CAPABILITY")),
          check_threads(at::get_num_threads(), threads_per_process(1)),
          check_memory(available_memory() / (1 << 20)),
          check_open_files(limit),
          check_shared_memory("/dev/shm", gpus)};
}

}  // namespace wf
