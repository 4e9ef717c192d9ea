#include "kernels/cuda/grid_pool3_kernel.cuh"
#include "kernels/cuda/launch.cuh"
#include "ops/op_common.h"

#include <ATen/Dispatch.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor grid_pool3(const at::Tensor& x, int64_t height, int64_t width) {
  check_tokens("grid_pool3", x, height, width);
  return map_tokens(x, 9, [&](const at::Tensor& in, at::Tensor& out) {
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "grid_pool3", [&] {
      cuda::launch_grid_pool3(
          cuda::grid_pool3_params(in.const_data_ptr<scalar_t>(), out.mutable_data_ptr<scalar_t>(),
                                  x.size(0), height, width, x.size(2)),
          cuda::launcher("grid_pool3"));
    });
  });
}

at::Tensor grid_pool3_backward(const at::Tensor& grad, int64_t height, int64_t width) {
  check_tokens("grid_pool3_backward", grad, 3, 3);
  return map_tokens(grad, height * width, [&](const at::Tensor& in, at::Tensor& out) {
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, grad.scalar_type(), "grid_pool3_backward", [&] {
          cuda::launch_grid_pool3_backward(
              cuda::grid_pool3_params(in.const_data_ptr<scalar_t>(),
                                      out.mutable_data_ptr<scalar_t>(), grad.size(0), height, width,
                                      grad.size(2)),
              cuda::launcher("grid_pool3_backward"));
        });
  });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("grid_pool3", &grid_pool3);
  m.impl("grid_pool3_backward", &grid_pool3_backward);
}

}  // namespace
}  // namespace wf
