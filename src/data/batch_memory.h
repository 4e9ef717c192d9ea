// Memory for batches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace wf {

/// Gives out tensors, and the same again once nobody else holds them: a batch fresh from the system
/// costs a page fault every 4 KiB, which is a tenth of the time to fill it. Page-locked tensors are
/// always new, as torch's allocator for them does the same and knows which are still being copied.
class BatchMemory {
 public:
  BatchMemory(bool pinned, size_t kept) : pinned_(pinned), kept_(kept) {}

  at::Tensor take(at::IntArrayRef sizes, at::ScalarType type);

 private:
  bool pinned_;
  size_t kept_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace wf
