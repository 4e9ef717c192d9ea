// Copies a batch to a GPU while it computes on the previous one.
#pragma once

#include "weightformer/data/batch.h"

#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <optional>

namespace wf {

/// Copies one batch at a time on a separate stream. It uses only c10, so it compiles in a build
/// without CUDA too, where it is never used. From pinned memory begin() returns immediately;
/// torch's allocator keeps that memory until the copy is done.
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
