// What wf_doctor looks at. Each check returns what it found, and what to do where something is
// wrong.
#pragma once

#include "weightformer/config/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

enum class Severity { fine, warning, fault };

struct Finding {
  Severity severity = Severity::fine;
  std::string topic;   ///< "threads"
  std::string what;    ///< what was found
  std::string advice;  ///< what to do; empty where nothing is wrong
};

using Findings = std::vector<Finding>;

/// The library at `path`, of the LibTorch in the directory around it, against the version that the
/// programs were compiled for.
Finding check_libtorch(const std::string& path, const std::string& compiled);
Finding check_cuda();
/// The instruction set in use against those of the processor; `wanted` is ATEN_CPU_CAPABILITY, or
/// "".
Finding check_instructions(const std::string& used, const std::string& wanted);
/// Threads of each operator against the CPUs that the process may use.
Finding check_threads(int threads, int cpus);
/// Megabytes available, in MiB.
Finding check_memory(double mib);
/// Files that the process may have open.
Finding check_open_files(int64_t limit);
/// The directory of shared memory, which NCCL needs between `gpus` GPUs of a machine.
Finding check_shared_memory(const std::string& directory, int gpus);

/// All of the above on this machine.
Findings check_machine();

/// Whether runs can be written to `directory`, how much space is left and how fast writing is.
/// Writes a temporary file there, or in the nearest directory that exists.
Findings check_output(const std::string& directory);

/// The data of `config`: whether it opens, fits the task, and `samples` of it, evenly spaced, can
/// be read.
Findings check_data(const Config& config, int64_t samples);

}  // namespace wf
