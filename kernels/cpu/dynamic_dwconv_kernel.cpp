#include "ops/dynamic_dwconv_kernel.h"

#include "kernels/cpu/capability.h"
#include "kernels/cpu/dynamic_dwconv_loops.h"

#include <ATen/Dispatch.h>

namespace wf {
namespace {

at::Tensor dynamic_dwconv(const DwconvArgs& args) {
  return dynamic_dwconv_entry(args, [](const DwconvTensors& tensors, at::Tensor& y) {
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kHalf, at::kBFloat16, y.scalar_type(), "dynamic_dwconv", [&] {
          const auto in = tensors.params<scalar_t, Accumulate<scalar_t>>();
          auto* out = y.mutable_data_ptr<scalar_t>();
          for_each_strip(in, [&](auto full, auto plain, const Strip& s) {
            forward_strip<full.value, plain.value>(in, out, s);
          });
        });
  });
}

DwconvGrads dynamic_dwconv_backward(const at::Tensor& grad, const DwconvArgs& args) {
  return dynamic_dwconv_backward_entry(
      grad, args, [](const DwconvTensors& tensors, const DwconvGradTensors& grads) {
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, tensors.x.scalar_type(), "dynamic_dwconv_backward", [&] {
              const auto in = tensors.params<scalar_t, Accumulate<scalar_t>>();
              const auto out = grads.params<scalar_t, Accumulate<scalar_t>>();
              for_each_strip(in, [&](auto full, auto plain, const Strip& s) {
                backward_strip<full.value, plain.value>(in, out, s);
              });
            });
      });
}

WF_CPU_KERNELS(m) {
  m.impl("dynamic_dwconv", &flat_dwconv<&dynamic_dwconv>);
  m.impl("dynamic_dwconv_backward", &flat_dwconv_backward<&dynamic_dwconv_backward>);
}

}  // namespace
}  // namespace wf
