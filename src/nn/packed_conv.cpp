#include "nn/packed_conv.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <array>

namespace wf {
namespace {

using at::Tensor;
using Pack = Tensor(const Tensor&, c10::IntArrayRef, c10::IntArrayRef, c10::IntArrayRef, int64_t,
                    c10::OptionalArrayRef<int64_t>);
using Convolve = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&,
                        c10::IntArrayRef, c10::IntArrayRef, c10::IntArrayRef, int64_t,
                        c10::string_view, c10::List<std::optional<c10::Scalar>>,
                        std::optional<c10::string_view>);

// torch.compile's own operators; a LibTorch without oneDNN does not have them.
std::optional<c10::OperatorHandle> find_onednn(const char* name) {
  return c10::Dispatcher::singleton().findSchema({name, ""});
}

// oneDNN's grouped convolutions outrun batched products by MKL with AVX2 and with AVX-512
// (docs/performance.md). Elsewhere they may be its reference implementation.
bool processor_fits() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

}  // namespace

bool can_pack_conv() {
  static const bool exists = processor_fits() && find_onednn("mkldnn::_convolution_pointwise") &&
                             find_onednn("mkldnn::_reorder_convolution_weight");
  return exists && at::globalContext().userEnabledMkldnn();
}

Tensor pack_conv(const Tensor& weight, const PackedShape& shape, at::IntArrayRef input) {
  static const auto op = find_onednn("mkldnn::_reorder_convolution_weight")->typed<Pack>();
  const std::array<int64_t, 2> padding{shape.padding, shape.padding};
  const std::array<int64_t, 2> stride{shape.stride, shape.stride}, dilation{1, 1};
  return op.call(weight, padding, stride, dilation, shape.groups, input);
}

Tensor packed_conv(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                   const PackedShape& shape) {
  static const auto op = find_onednn("mkldnn::_convolution_pointwise")->typed<Convolve>();
  const std::array<int64_t, 2> padding{shape.padding, shape.padding};
  const std::array<int64_t, 2> stride{shape.stride, shape.stride}, dilation{1, 1};
  return op.call(x, packed, bias, padding, stride, dilation, shape.groups, "none",
                 c10::List<std::optional<c10::Scalar>>(), std::nullopt);
}

}  // namespace wf
