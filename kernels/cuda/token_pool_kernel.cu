#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/token_pool_kernel.cuh"
#include "ops/token_op_kernel.h"

#include <torch/library.h>

namespace wf {
namespace {

at::Tensor token_pool(const at::Tensor& x, int64_t height, int64_t width) {
  return token_op_entry("token_pool", x, {height, width}, {height / 2, width / 2},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          cuda::launch_token_pool(
                              cuda::TokenPoolParams{from, to, batch, height, width, channels},
                              cuda::launcher("token_pool"));
                        });
}

at::Tensor token_pool_backward(const at::Tensor& grad, int64_t height, int64_t width) {
  return token_op_entry("token_pool_backward", grad, {height / 2, width / 2}, {height, width},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          cuda::launch_token_pool_backward(
                              cuda::TokenPoolParams{from, to, batch, height, width, channels},
                              cuda::launcher("token_pool_backward"));
                        });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("token_pool", &token_pool);
  m.impl("token_pool_backward", &token_pool_backward);
}

}  // namespace
}  // namespace wf
