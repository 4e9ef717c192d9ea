#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/token_pool_kernel.cuh"
#include "ops/op_common.h"

#include <ATen/Dispatch.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor token_pool(const at::Tensor& x, int64_t height, int64_t width) {
  check_tokens("token_pool", x, height, width);
  return map_tokens(x, (height / 2) * (width / 2), [&](const at::Tensor& in, at::Tensor& out) {
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "token_pool", [&] {
      cuda::launch_token_pool<scalar_t>(
          {in.const_data_ptr<scalar_t>(), out.mutable_data_ptr<scalar_t>(), x.size(0), height,
           width, x.size(2)},
          cuda::launcher("token_pool"));
    });
  });
}

at::Tensor token_pool_backward(const at::Tensor& grad, int64_t height, int64_t width) {
  check_tokens("token_pool_backward", grad, height / 2, width / 2);
  return map_tokens(grad, height * width, [&](const at::Tensor& in, at::Tensor& out) {
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, grad.scalar_type(), "token_pool_backward", [&] {
          cuda::launch_token_pool_backward<scalar_t>(
              {in.const_data_ptr<scalar_t>(), out.mutable_data_ptr<scalar_t>(), grad.size(0),
               height, width, grad.size(2)},
              cuda::launcher("token_pool_backward"));
        });
  });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("token_pool", &token_pool);
  m.impl("token_pool_backward", &token_pool_backward);
}

}  // namespace
}  // namespace wf
