// The loops of kernels/cpu as operators on torch's stable ABI, so that one library serves every
// torch from 2.11 on. They are below the operators wf::*, which tools/python/weightformer/stable.py
// defines with their checks, layouts, matrix products and derivatives: a loop gets contiguous
// tensors, all of the dtype of the first or of its accumulation, and fills those that it is given
// for its results.

#include "kernels/stable/capability.h"

namespace {

auto* best() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto has = [](auto... yes) { return (yes && ...); };
  if (has(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512bw"),
          __builtin_cpu_supports("avx512vl"), __builtin_cpu_supports("avx512dq"))) {
    return &wf::stable::AVX512::add_loops;
  }
  if (has(__builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"))) {
    return &wf::stable::AVX2::add_loops;
  }
#endif
  return &wf::stable::DEFAULT::add_loops;
}

}  // namespace

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
}

STABLE_TORCH_LIBRARY_IMPL(wf_loops, CPU, m) { best()(m); }
