#include "ops/layer_norm_kernel.h"

#include "kernels/cpu/capability.h"
#include "kernels/cpu/layer_norm_loops.h"

namespace wf {
namespace {

NormResult layer_norm(const NormArgs& args) {
  return layer_norm_entry(args, [](auto, const auto& in) { layer_norm_loop(in); });
}

NormGrads layer_norm_backward(const NormBackwardArgs& args) {
  return layer_norm_backward_entry(
      args, [](auto, const auto& grads) { layer_norm_backward_loop(grads); });
}

WF_CPU_KERNELS(m) {
  m.impl("layer_norm", &flat_layer_norm<&layer_norm>);
  m.impl("layer_norm_backward", &flat_layer_norm_backward<&layer_norm_backward>);
}

}  // namespace
}  // namespace wf
