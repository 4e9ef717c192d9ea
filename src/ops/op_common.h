// Checks and types that the kernel entries of all devices share.
#pragma once

#include "weightformer/core/check.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cstdint>

namespace wf {

/// float16 and bfloat16 are accumulated in float32, other dtypes in themselves.
inline at::ScalarType accumulate_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

/// Throws wf::Error "[op] name: expected [2, 3], got [2, 4]".
inline void check_shape(const char* op, const char* name, const at::Tensor& tensor,
                        at::IntArrayRef expected) {
  WF_CHECK(tensor.sizes() == expected, "[", op, "] ", name, ": expected ", expected, ", got ",
           tensor.sizes());
}

/// Throws unless `tensor` is on the device of `x`: kernels do not check pointers.
inline void check_device(const char* op, const char* name, const at::Tensor& tensor,
                         const at::Tensor& x) {
  WF_CHECK(tensor.device() == x.device(), "[", op, "] ", name, ": expected on ", x.device(),
           ", got on ", tensor.device());
}

/// Kernels call GEMMs in dtypes of their choice; the autocast of the caller's thread would change
/// them.
class NoAutocast {
 public:
  NoAutocast() : guard_(c10::autocast_dispatch_keyset) {}

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_;
};

/// x: [B, height * width, C] of a floating dtype.
inline void check_tokens(const char* op, const at::Tensor& x, int64_t height, int64_t width) {
  WF_CHECK(x.dim() == 3 && height >= 0 && width >= 0 && x.size(1) == height * width, "[", op,
           "] x: expected (B, ", height, "*", width, ", C), got ", x.sizes());
  WF_CHECK(x.is_floating_point(), "[", op, "] x: expected a floating dtype, got ", x.dtype());
}

}  // namespace wf
