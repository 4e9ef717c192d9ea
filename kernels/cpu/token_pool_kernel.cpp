#include "kernels/cpu/capability.h"
#include "kernels/cpu/token_pool_loops.h"
#include "ops/token_op_kernel.h"

namespace wf {
namespace {

at::Tensor token_pool(const at::Tensor& x, int64_t height, int64_t width) {
  return token_op_entry("token_pool", x, {height, width}, {height / 2, width / 2},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          token_pool_loop(from, to, {batch, height, width, channels});
                        });
}

at::Tensor token_pool_backward(const at::Tensor& grad, int64_t height, int64_t width) {
  return token_op_entry("token_pool_backward", grad, {height / 2, width / 2}, {height, width},
                        [=](const auto* from, auto* to, int64_t batch, int64_t channels) {
                          token_pool_backward_loop(from, to, {batch, height, width, channels});
                        });
}

WF_CPU_KERNELS(m) {
  m.impl("token_pool", &token_pool);
  m.impl("token_pool_backward", &token_pool_backward);
}

}  // namespace
}  // namespace wf
