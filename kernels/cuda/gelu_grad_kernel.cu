#include "kernels/cuda/gelu_grad_kernel.cuh"
#include "kernels/cuda/launch.cuh"
#include "ops/gelu_grad.h"

#include <ATen/Dispatch.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor gelu_grad_of(const at::Tensor& grad, const at::Tensor& given,
                        c10::string_view approximate) {
  return gelu_grad_entry(
      grad, given, approximate,
      [](const at::Tensor& g, const at::Tensor& x, const at::Tensor& y, bool tanh) {
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, x.scalar_type(), "gelu_grad_", [&] {
              cuda::launch_gelu_grad<scalar_t>(
                  {g.mutable_data_ptr<scalar_t>(), x.const_data_ptr<scalar_t>(),
                   y.mutable_data_ptr<scalar_t>(), x.numel()},
                  tanh, cuda::launcher("gelu_grad_"));
            });
      });
}

TORCH_LIBRARY_IMPL(wf_internal, CUDA, m) { m.impl("gelu_grad_", &gelu_grad_of); }

}  // namespace
}  // namespace wf
