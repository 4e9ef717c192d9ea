#pragma once

#include "weightformer/data/sampler.h"

#include "data/dataset.h"
#include "data/transforms.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <vector>

namespace wf {

/// A part of a picture of a batch that is overwritten after normalisation.
struct BatchErasure {
  int64_t picture;  ///< 0 … B - 1
  Box box;
  int64_t first, count;  ///< its values in Batch::noise: 3, one colour, or 3 x the box
};

struct Batch {
  /// [B, 3, S, S] float32, normalised; or, from a loader of bytes, uint8: see model_input().
  at::Tensor images;
  std::vector<BatchErasure> erased;  ///< with uint8 images: what is still to be erased, …
  at::Tensor noise;                  ///< … and by what, [N] float32
  at::Tensor labels;             ///< [B] int64; -1 where a picture of an evaluation is unreadable
  std::vector<int64_t> indices;  ///< [B], into the dataset
};

struct LoaderOptions {
  int64_t batch_size = 1;
  int workers = 0;       ///< threads; 0: next() does the work
  int64_t prefetch = 4;  ///< batches made ahead, at most
  bool train = false;    ///< replace unreadable pictures instead of marking them
  bool drop_last = false;
  bool bytes = false;  ///< leave normalising and erasing to the device: a quarter to transfer
  uint64_t seed = 0;
  /// Where batches are handed out. To a GPU they are copied while it computes on the one before.
  c10::Device device = c10::kCPU;
  bool pin_memory = true;  ///< for a GPU: page-locked batches, which can be copied meanwhile
};

/// Batches of a dataset, in the sampler's order, made by threads ahead of their use.
///
/// What a batch holds is a function of (seed, epoch, its number) alone: not of the number of
/// threads, nor of where in the epoch start() began. What is done to a picture is a function of
/// (seed, epoch, index, repeat), so not of the number of processes either. An unreadable picture is
/// named once in the log; in training another sample takes its place, chosen by (seed, epoch,
/// index).
class Loader {
 public:
  Loader(std::shared_ptr<const Dataset> dataset, std::shared_ptr<const Transform> transform,
         Sampler sampler, LoaderOptions options);
  ~Loader();

  /// Batches in an epoch; 0 when drop_last leaves none.
  int64_t batches() const;

  /// Begins an epoch at its batch `first_batch`; whatever was under way is given up.
  void start(int64_t epoch, int64_t first_batch = 0);

  /// The next batch; false at the epoch's end. An exception of a worker is thrown here. The memory
  /// of a batch is used again when nobody holds its tensors any more.
  bool next(Batch& batch);

  /// Seconds that next() has waited for pictures since start().
  double wait_seconds() const;

  /// How many different pictures were found unreadable so far.
  int64_t unreadable() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wf
