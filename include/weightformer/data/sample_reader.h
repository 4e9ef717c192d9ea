#pragma once

#include "weightformer/core/random.h"
#include "weightformer/data/batch.h"
#include "weightformer/data/unreadable_sample.h"

#include <cstdint>
#include <memory>
#include <string>

namespace wf {

class BatchMemory;

/// A batch that is being filled. Several threads write slots at the same time, each slot by one
/// thread.
class BatchBuilder {
 public:
  virtual ~BatchBuilder() = default;

  /// Writes sample `index`, input and label, into `slot`. Random choices come from `rng` only.
  /// Throws UnreadableSample; another read() of the slot may follow.
  virtual void read(int64_t slot, int64_t index, CounterRng rng) = 0;

  /// Zero input and label -1, for an evaluation.
  virtual void mark_unreadable(int64_t slot) = 0;

  /// The batch, once every slot is written. Batch::indices is filled in by the loader.
  virtual Batch finish() = 0;
};

/// Turns sample indices into batches: it knows what a sample is, while the loader knows only order,
/// threads and prefetching. Thread-safe.
class SampleReader {
 public:
  virtual ~SampleReader() = default;

  virtual int64_t size() const = 0;               ///< samples in the dataset
  virtual std::string name(int64_t i) const = 0;  ///< location of sample `i`, for messages
  /// Memory for `count` samples, taken from `memory`.
  virtual std::unique_ptr<BatchBuilder> begin(int64_t count, BatchMemory& memory) const = 0;
};

}  // namespace wf
