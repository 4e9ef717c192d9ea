#include "data/batch_memory.h"

#include "weightformer/core/check.h"

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

namespace wf {
namespace {

// at::empty(), where a refusal names what can be made smaller.
at::Tensor empty(at::IntArrayRef sizes, const at::TensorOptions& options) {
  try {
    return at::empty(sizes, options);
  } catch (const c10::Error&) {
    double bytes = static_cast<double>(options.dtype().itemsize());
    for (int64_t size : sizes) bytes *= static_cast<double>(size);
    throw Error(wf::str("out of memory: a batch of ", sizes, " takes ", bytes / (1 << 30),
                        " GiB, and several are prepared at a time; lower DATA.BATCH_SIZE or "
                        "DATA.IMG_SIZE"),
                Error::kUnexpected);
  }
}

}  // namespace

at::Tensor BatchMemory::take(at::IntArrayRef sizes, at::ScalarType type) {
  if (pinned_) return empty(sizes, at::TensorOptions(type).pinned_memory(true));
  for (const auto& tensor : tensors_) {
    // An existing view keeps the storage alive.
    if (tensor.use_count() == 1 && tensor.storage().use_count() == 1 && tensor.sizes() == sizes &&
        tensor.scalar_type() == type && tensor.is_inference() == c10::InferenceMode::is_enabled()) {
      return tensor;
    }
  }
  const auto tensor = empty(sizes, at::TensorOptions(type));
  // Those at hand are held by others, or of the last batch's size; the oldest is let go.
  if (tensors_.size() == kept_) tensors_.erase(tensors_.begin());
  tensors_.push_back(tensor);
  return tensor;
}

}  // namespace wf
