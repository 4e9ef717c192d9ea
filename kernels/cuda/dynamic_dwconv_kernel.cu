#include "kernels/cuda/dynamic_dwconv_kernel.cuh"
#include "kernels/cuda/launch.cuh"
#include "ops/dynamic_dwconv_kernel.h"

#include <ATen/Dispatch.h>
#include <torch/library.h>

namespace wf {
namespace {

// Kernels count within a sample in 32 bits.
void check_size(const char* op, const DwconvTensors& in) {
  WF_CHECK(in.height * in.width * in.x.size(2) <= INT32_MAX, "[", op,
           "] x: more than 2^31 numbers in a sample: ", in.height, "*", in.width, "*",
           in.x.size(2));
}

at::Tensor dynamic_dwconv(const DwconvArgs& args) {
  return dynamic_dwconv_entry(args, [](const DwconvTensors& tensors, at::Tensor& y) {
    check_size("dynamic_dwconv", tensors);
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, y.scalar_type(), "dynamic_dwconv", [&] {
          cuda::launch_dwconv(tensors.params<scalar_t, cuda::Accumulate<scalar_t>>(),
                              y.mutable_data_ptr<scalar_t>(), cuda::launcher("dynamic_dwconv"));
        });
  });
}

DwconvGrads dynamic_dwconv_backward(const at::Tensor& grad, const DwconvArgs& args) {
  return dynamic_dwconv_backward_entry(
      grad, args, [](const DwconvTensors& tensors, const DwconvGradTensors& grads) {
        check_size("dynamic_dwconv_backward", tensors);
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, tensors.x.scalar_type(), "dynamic_dwconv_backward", [&] {
              using A = cuda::Accumulate<scalar_t>;
              cuda::launch_dwconv_backward(tensors.params<scalar_t, A>(),
                                           grads.params<scalar_t, A>(),
                                           cuda::launcher("dynamic_dwconv_backward"));
            });
      });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("dynamic_dwconv", &flat_dwconv<&dynamic_dwconv>);
  m.impl("dynamic_dwconv_backward", &flat_dwconv_backward<&dynamic_dwconv_backward>);
}

}  // namespace
}  // namespace wf
