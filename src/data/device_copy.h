// Batches on their way to a GPU while it computes on the one before.
#pragma once

#include "weightformer/data/batch.h"

#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <optional>

namespace wf {

/// Copies one batch at a time on a stream of its own. It speaks to the device through c10 alone, so
/// it is the same code in a build without CUDA, where it is never used. From page-locked memory
/// begin() returns at once; torch's allocator keeps that memory until the copy is done.
class DeviceCopy {
 public:
  explicit DeviceCopy(c10::Device device);

  bool under_way() const { return batch_.has_value(); }
  void begin(Batch host);
  /// The batch, for use on the current stream, which waits for the copy; this thread does not.
  Batch finish();
  void drop() { batch_.reset(); }

 private:
  c10::Device device_;
  c10::Stream stream_;
  c10::Event done_;
  std::optional<Batch> batch_;
};

}  // namespace wf
