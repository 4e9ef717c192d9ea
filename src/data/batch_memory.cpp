#include "data/batch_memory.h"

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

namespace wf {

at::Tensor BatchMemory::take(at::IntArrayRef sizes, at::ScalarType type) {
  if (pinned_) return at::empty(sizes, at::TensorOptions(type).pinned_memory(true));
  for (const auto& tensor : tensors_) {
    // An existing view keeps the storage alive.
    if (tensor.use_count() == 1 && tensor.storage().use_count() == 1 && tensor.sizes() == sizes &&
        tensor.scalar_type() == type && tensor.is_inference() == c10::InferenceMode::is_enabled()) {
      return tensor;
    }
  }
  const auto tensor = at::empty(sizes, type);
  // The stored ones are in use, or have the size of the last batch; the oldest is released.
  if (tensors_.size() == kept_) tensors_.erase(tensors_.begin());
  tensors_.push_back(tensor);
  return tensor;
}

}  // namespace wf
