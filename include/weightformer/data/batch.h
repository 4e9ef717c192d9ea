#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace wf {

/// A region of an image that random erasing overwrites after normalization. Only batches of uint8
/// images carry these; float32 images are complete.
struct BatchErasure {
  int64_t image;                     ///< 0 … B - 1
  int64_t top, left, height, width;  ///< pixels
  int64_t first, count;  ///< range of Batch::noise: 3 values, one per channel, or 3 × the region
};

/// A batch of the loader.
struct Batch {
  /// [B, …]. Images: [B, 3, S, S], float32 and normalized, or uint8 (see data/device_batch.h).
  at::Tensor inputs;
  at::Tensor labels;             ///< [B] int64; -1 where a sample of an evaluation is unreadable
  std::vector<int64_t> indices;  ///< [B], sample numbers in the dataset
  int64_t epoch = 0;             ///< in which the loader made the batch
  std::vector<BatchErasure> erased;
  at::Tensor noise;  ///< [N] float32, the values of `erased`

  int64_t size() const { return labels.size(0); }
};

}  // namespace wf
