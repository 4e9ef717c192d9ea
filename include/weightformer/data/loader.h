#pragma once

#include "weightformer/core/check.h"
#include "weightformer/data/sample_reader.h"
#include "weightformer/data/sampler.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <vector>

namespace wf {

struct LoaderOptions {
  int64_t batch_size = 1;
  int workers = 0;       ///< threads; 0: next() does the work
  int64_t prefetch = 4;  ///< batches made ahead, at most
  bool train = false;    ///< replace unreadable samples instead of marking them
  bool drop_last = false;
  uint64_t seed = 0;
  /// Where batches are handed out. To a GPU they are copied while it computes on the one before.
  c10::Device device = c10::kCPU;
  bool pin_memory = true;  ///< for a GPU: page-locked batches, which can be copied meanwhile
  double stop_after = 5;   ///< seconds that a wait may last once the process is asked to stop
};

/// The process was asked to stop and a batch did not come in LoaderOptions::stop_after seconds: a
/// worker hangs in a read, of a network file system for example. One line that names the sample.
class LoaderStopped : public Error {
 public:
  explicit LoaderStopped(const std::string& message) : Error(message, kUnexpected) {}
};

/// Batches of samples in the sampler's order, prepared by threads ahead of their use.
///
/// A batch is a function of (seed, epoch, its number): neither the number of threads nor the batch
/// that start() began with matters. What is done to a sample is a function of (seed, epoch, index,
/// repeat), so the number of processes does not matter either. An unreadable sample is logged once;
/// in training another sample, chosen by (seed, epoch, index), takes its place.
class Loader {
 public:
  Loader(std::shared_ptr<const SampleReader> reader, Sampler sampler, LoaderOptions options);
  ~Loader();

  /// Batches in an epoch; 0 when drop_last leaves none.
  int64_t batches() const;

  /// Begins an epoch at its batch `first_batch` and drops what was being prepared.
  void start(int64_t epoch, int64_t first_batch = 0);

  /// The next batch; false at the end of the epoch. Rethrows the exception of a worker, and throws
  /// LoaderStopped, after which the loader gives no more batches. The memory of a batch is reused
  /// once no tensor of it is referenced any more.
  bool next(Batch& batch);

  /// The samples `indices` of the dataset as the run sees them in its first epoch, read now and by
  /// this thread, on the CPU; those that are unreadable are marked. For display: it changes nothing
  /// that next() gives.
  Batch read(const std::vector<int64_t>& indices) const;
  const SampleReader& reader() const;

  /// Seconds that next() has waited for samples since start().
  double wait_seconds() const;

  /// How many different samples were found unreadable so far.
  int64_t unreadable() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with workers that hang when the loader is destroyed
};

}  // namespace wf
