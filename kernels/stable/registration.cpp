// The loops of kernels/cpu as operators on torch's stable ABI, so that one library serves every
// torch from 2.11 on. They are below the operators wf::*, to which
// tools/python/weightformer/stable.py gives their checks, layouts, matrix products and derivatives:
// a loop gets contiguous tensors, all of the dtype of the first or of its accumulation, and fills
// those that it is given for its results.

#include "kernels/stable/capability.h"
#include "ops/schemas.h"

#include <cstdlib>
#include <string>

namespace {

// The best set of this processor; ATEN_CPU_CAPABILITY=default and avx2 select a lower one, as for
// PyTorch's own kernels.
auto* best() {
#if defined(__x86_64__)
  const char* named = std::getenv("ATEN_CPU_CAPABILITY");
  const std::string limit = named ? named : "avx512";
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx2 && avx512 && limit == "avx512") return &wf::stable::AVX512::add_loops;
  if (avx2 && limit != "default") return &wf::stable::AVX2::add_loops;
#endif
  return &wf::stable::DEFAULT::add_loops;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(wf, m) {
  for (const char* schema : wf::kOperatorSchemas) m.def(schema);
}

STABLE_TORCH_LIBRARY(wf_loops, m) {
  m.def("token_pool(Tensor x, int height, int width, Tensor(a!) y) -> ()");
  m.def("token_pool_backward(Tensor grad, int height, int width, Tensor(a!) grad_x) -> ()");
  m.def("grid_pool3(Tensor x, int height, int width, Tensor(a!) y) -> ()");
  m.def("grid_pool3_backward(Tensor grad, int height, int width, Tensor(a!) grad_x) -> ()");
  m.def(
      "column_gain(Tensor right, Tensor product, float scale, Tensor(a!) gained, Tensor(b!) norm) "
      "-> ()");
  m.def(
      "column_gain_backward(Tensor grad, Tensor right, Tensor product, Tensor norm, float scale, "
      "Tensor(a!) grad_right, Tensor(b!) weighted) -> ()");
  m.def(
      "dynamic_dwconv(Tensor x, int height, int width, Tensor? kernel, Tensor weight, Tensor bias, "
      "Tensor? shift, Tensor? scale, Tensor? gate, bool residual, Tensor(a!) y) -> ()");
  m.def(
      "dynamic_dwconv_backward(Tensor x, int height, int width, Tensor? kernel, Tensor weight, "
      "Tensor bias, Tensor? shift, Tensor? scale, Tensor? gate, bool residual, Tensor grad, "
      "Tensor(a!) grad_x, Tensor(b!) taps, Tensor(c!) grad_bias, Tensor(d!)? grad_kernel, "
      "Tensor(e!)? grad_shift, Tensor(f!)? grad_scale, Tensor(g!)? grad_gate) -> ()");
  m.def(
      "layer_norm(Tensor x, Tensor? update, Tensor? gate, Tensor? factor, Tensor? offset, "
      "float eps, Tensor(a!) y, Tensor(b!)? sum, Tensor(c!) moments) -> ()");
  m.def(
      "layer_norm_backward(Tensor grad, Tensor? grad_sum, Tensor x, Tensor moments, "
      "Tensor? factor, Tensor? update, Tensor? gate, bool normalized, Tensor(a!) grad_x, "
      "Tensor(b!)? grad_update, Tensor(c!)? factor_sums, Tensor(d!)? offset_sums, "
      "Tensor(e!)? gate_sums) -> ()");
}

STABLE_TORCH_LIBRARY_IMPL(wf_loops, CPU, m) { best()(m); }
