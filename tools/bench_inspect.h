// What wf_bench shows of a single step: a trace, and the time of only its GEMMs.
#pragma once

#include "bench.h"

#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

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

/// Floating-point operations of the operator `name`, if it is a product: 2 for a multiplication
/// with its addition.
double product_flop(const std::string& name, const std::vector<c10::IValue>& inputs,
                    const at::Tensor& result);

/// What calls of an operator do on a GPU: kernels, bytes (each tensor once) and operations; and the
/// seconds that an H100 is predicted to take, see docs/performance.md.
struct OpTraffic {
  int64_t calls = 0, kernels = 0;
  double bytes = 0, flop = 0, seconds = 0;

  OpTraffic& operator+=(const OpTraffic& other);
};

/// Bytes of a tensor or a list of tensors.
double tensor_bytes(const c10::IValue& value);

/// Completes `op`, which has the bytes of the arguments `inputs`, at the end of the call.
void finish_traffic(const at::RecordFunction& function, const std::vector<c10::IValue>& inputs,
                    OpTraffic& op);

/// Counts the operators of one step that move memory, by name. A gradient that is added up counts
/// as an operator too.
std::map<std::string, OpTraffic> count_traffic(c10::Device device,
                                               const std::function<void()>& step);

}  // namespace wf
