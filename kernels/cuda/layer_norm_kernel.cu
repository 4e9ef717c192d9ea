#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/layer_norm_kernel.cuh"
#include "ops/layer_norm_kernel.h"

#include <ATen/Dispatch.h>
#include <torch/library.h>

namespace wf {
namespace {

// A block holds no wider token.
bool fits(const at::Tensor& x) {
  bool fits = true;
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "layer_norm",
                                  [&] { fits = cuda::fits_layer_norm<scalar_t>(x.size(-1)); });
  return fits;
}

NormResult layer_norm(const NormArgs& args) {
  check_norm_tokens("layer_norm", args.x);
  if (!fits(args.x)) return layer_norm_fallback(args);
  return layer_norm_entry(args, [](auto, const auto& in) {
    cuda::launch_layer_norm(in, cuda::launcher("layer_norm"));
  });
}

NormGrads layer_norm_backward(const NormBackwardArgs& args) {
  check_norm_tokens("layer_norm_backward", args.x);
  if (!fits(args.x)) return layer_norm_backward_fallback(args);
  return layer_norm_backward_entry(args, [](auto, const auto& grads) {
    cuda::launch_layer_norm_backward(grads, cuda::launcher("layer_norm_backward"));
  });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("layer_norm", &flat_layer_norm<&layer_norm>);
  m.impl("layer_norm_backward", &flat_layer_norm_backward<&layer_norm_backward>);
}

}  // namespace
}  // namespace wf
