#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_strided.h>

namespace wf {

/// Makes a parameter a tensor without data (on the Meta device), which Module::to() cannot: work on
/// it computes shapes and dtypes only.
inline void drop_data(const at::Tensor& t) {
  const auto empty = at::empty_strided(t.sizes(), t.strides(), t.options().device(c10::kMeta));
  t.unsafeGetTensorImpl()->_change_backend_component_keys(c10::kMeta);
  t.unsafeGetTensorImpl()->set_storage_keep_dtype(empty.storage());
}

}  // namespace wf
