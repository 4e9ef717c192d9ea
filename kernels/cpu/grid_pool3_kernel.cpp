#include "kernels/cpu/capability.h"
#include "kernels/cpu/grid_pool3_loops.h"
#include "ops/token_op_kernel.h"

namespace wf {
namespace {

at::Tensor grid_pool3(const at::Tensor& x, int64_t height, int64_t width) {
  return token_op_entry("grid_pool3", x, {height, width}, {3, 3},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          grid_pool3_loop(from, to, {batch, height, width, channels});
                        });
}

at::Tensor grid_pool3_backward(const at::Tensor& grad, int64_t height, int64_t width) {
  return token_op_entry("grid_pool3_backward", grad, {3, 3}, {height, width},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          grid_pool3_backward_loop(from, to, {batch, height, width, channels});
                        });
}

WF_CPU_KERNELS(m) {
  m.impl("grid_pool3", &grid_pool3);
  m.impl("grid_pool3_backward", &grid_pool3_backward);
}

}  // namespace
}  // namespace wf
