// The kernels of an operator, and the time that they are predicted to take on a GPU.

#include "bench_inspect.h"

#include <ATen/record_function.h>

#include <algorithm>

namespace wf {

// What an expanded tensor repeats is in memory once.
double tensor_bytes(const c10::IValue& value) {
  double bytes = 0;
  if (value.isTensor() && value.toTensor().defined()) {
    const auto& t = value.toTensor();
    bytes = static_cast<double>(t.element_size());
    for (int64_t d = 0; d < t.dim(); ++d) bytes *= t.stride(d) == 0 ? 1 : t.size(d);
  } else if (value.isTensorList()) {
    for (const at::Tensor& t : value.toTensorVector()) bytes += tensor_bytes(t);
  }
  return bytes;
}

namespace {

// Assumed of an H100, not measured. Bytes per second of a copy, of norms and of sums;
// operations per second of products in bfloat16 and float32; seconds of the shortest kernel.
constexpr double kCopy = 2.75e12, kNorm = 2.4e12, kNormBackward = 2.0e12, kSum = 2.3e12;
constexpr double kShortProducts = 600e12, kWideProducts = 25e12, kKernel = 2.2e-6;

double predicted_seconds(const std::string& name, const OpTraffic& op, bool wide) {
  const double bandwidth = name == "wf::layer_norm"                      ? kNorm
                           : name == "wf::layer_norm_backward"           ? kNormBackward
                           : name == "aten::sum" || name == "aten::mean" ? kSum
                                                                         : kCopy;
  return std::max({op.bytes / bandwidth, op.flop / (wide ? kWideProducts : kShortProducts),
                   static_cast<double>(op.kernels) * kKernel});
}

// Kernels of PyTorch's operators that have several, and bytes that their arguments do not show.
void add_passes(const at::RecordFunction& function, const std::vector<c10::IValue>& inputs,
                const at::Tensor& result, OpTraffic& op) {
  const std::string name = function.name();
  op.kernels = 1;
  if (name == "aten::baddbmm") {  // expands what is added into the result first
    op.kernels = 2;
    op.bytes += 2 * tensor_bytes(result);
  } else if (name == "aten::baddbmm_") {
    for (const auto& value : inputs) {  // beta = 0: what is there is not read
      if (value.isScalar() && value.toScalar().toDouble() == 0) op.bytes -= tensor_bytes(result);
    }
  } else if (name == "wf::column_gain") {  // the product of the Gram matrix is inside
    op.bytes += 4.0 * result.numel();
  } else if (name == "wf::column_gain_backward") {  // that, and the weighted columns
    op.bytes += 8.0 * function.outputs()[1].toTensor().numel();
  } else if (name == "aten::convolution_backward" || name == "aten::constant_pad_nd") {
    op.kernels = 2;
  }
}

}  // namespace

void finish_traffic(const at::RecordFunction& function, const std::vector<c10::IValue>& inputs,
                    OpTraffic& op) {
  const auto outputs = function.outputs();
  for (const auto& value : outputs) op.bytes += tensor_bytes(value);
  at::Tensor result;
  if (!outputs.empty() && outputs[0].isTensor()) result = outputs[0].toTensor();
  op.calls = 1;
  add_passes(function, inputs, result, op);
  op.flop = product_flop(function.name(), inputs, result);
  bool wide = false;
  for (const auto& value : inputs) {
    wide |= value.isTensor() && value.toTensor().defined() &&
            value.toTensor().scalar_type() == at::kFloat;
  }
  op.seconds = predicted_seconds(function.name(), op, wide);
}

OpTraffic& OpTraffic::operator+=(const OpTraffic& other) {
  calls += other.calls;
  kernels += other.kernels;
  bytes += other.bytes;
  flop += other.flop;
  seconds += other.seconds;
  return *this;
}

}  // namespace wf
