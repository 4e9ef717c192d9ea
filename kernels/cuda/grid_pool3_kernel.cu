#include "kernels/cuda/grid_pool3_kernel.cuh"
#include "kernels/cuda/launch.cuh"
#include "ops/token_op_kernel.h"

#include <torch/library.h>

namespace wf {
namespace {

at::Tensor grid_pool3(const at::Tensor& x, int64_t height, int64_t width) {
  return token_op_entry("grid_pool3", x, {height, width}, {3, 3},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          cuda::launch_grid_pool3(
                              cuda::grid_pool3_params(from, to, batch, height, width, channels),
                              cuda::launcher("grid_pool3"));
                        });
}

at::Tensor grid_pool3_backward(const at::Tensor& grad, int64_t height, int64_t width) {
  return token_op_entry("grid_pool3_backward", grad, {3, 3}, {height, width},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          cuda::launch_grid_pool3_backward(
                              cuda::grid_pool3_params(from, to, batch, height, width, channels),
                              cuda::launcher("grid_pool3_backward"));
                        });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("grid_pool3", &grid_pool3);
  m.impl("grid_pool3_backward", &grid_pool3_backward);
}

}  // namespace
}  // namespace wf
