// Memory for batches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace wf {

/// Reuses tensors that are no longer referenced: new memory costs a page fault every 4 KiB, a tenth
/// of the time to fill a batch. Pinned tensors are always new, as torch's allocator for them also
/// reuses memory and knows which tensors are still being copied.
class BatchMemory {
 public:
  BatchMemory(bool pinned, size_t kept) : pinned_(pinned), kept_(kept) {}

  at::Tensor take(at::IntArrayRef sizes, at::ScalarType type);

  /// Whether it is memory that a GPU copies from while the host continues.
  bool pinned() const { return pinned_; }

 private:
  bool pinned_;
  size_t kept_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace wf
