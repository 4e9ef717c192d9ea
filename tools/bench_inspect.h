// What wf_bench shows of a single step: a trace, and the time of only its GEMMs.
#pragma once

#include "bench.h"

#include <functional>
#include <map>
#include <string>

namespace wf {

/// Writes the operators (and on a GPU the kernels) of one step to `path`, in the JSON format of
/// chrome://tracing and ui.perfetto.dev.
void trace_step(const std::string& path, c10::Device device, const std::function<void()>& step);

/// The matrix products and convolutions of a step by PyTorch's libraries, without all that is
/// between them.
struct Floor {
  int64_t calls = 0;
  double seconds = 0;  ///< of all of them, the best of several times
  double gflop = 0;
};

/// Notes the calls of one step and repeats them with the same shapes, strides and dtypes.
Floor measure_floor(const BenchOptions& options, const std::function<void()>& step);

/// What an operator reads and writes: its tensors, each once.
struct OpTraffic {
  int64_t calls = 0;
  double bytes = 0;
};

/// Counts the operators of one step that move memory, by name. A gradient that is added up counts
/// as an operator too.
std::map<std::string, OpTraffic> count_traffic(c10::Device device,
                                               const std::function<void()>& step);

}  // namespace wf
