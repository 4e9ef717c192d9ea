#pragma once

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include <cstdint>
#include <vector>

namespace wf {

/// The order in which one process sees a dataset. It depends only on the seed and the epoch; over
/// the ranks of a run every image occurs exactly once per epoch. `even`: every rank has the same
/// number, and fewer than `world` samples are dropped, others in each epoch.
///
/// With `repeats` > 1 (repeated augmentation, Hoffer et al. 2020, as in DeiT) an epoch keeps its
/// length and has ceil(size / repeats) images, others in each epoch: in the global order each
/// occurs `repeats` times in a row (the last one perhaps fewer), so that the copies go to different
/// ranks, or to one batch of a single process. DeiT also shortens the epoch to a multiple of 256;
/// this sampler does not.
class Sampler {
 public:
  Sampler(int64_t size, bool shuffle, uint64_t seed, int rank = 0, int world = 1,
          int64_t repeats = 1, bool even = false)
      : size_(size), shuffle_(shuffle), seed_(seed), rank_(rank), world_(world), repeats_(repeats) {
    WF_CHECK(size >= 0 && world > 0 && rank >= 0 && rank < world, "Sampler: rank ", rank, " of ",
             world, ", ", size, " samples");
    WF_CHECK(repeats >= 1 && (shuffle || repeats == 1), "Sampler: ", repeats,
             " repeats; without shuffling some images would never occur");
    size_used_ = even ? size / world * world : size;
  }

  /// Number of samples of an epoch on this rank.
  int64_t size() const { return (size_used_ - rank_ + world_ - 1) / world_; }

  std::vector<int64_t> epoch(int64_t epoch) const {
    constexpr uint64_t kStream =
        0x6f72646572;  // separates this draw from those of the augmentation
    std::vector<int64_t> all(size_);
    std::iota(all.begin(), all.end(), int64_t{0});
    if (shuffle_)
      all = permutation(size_, CounterRng{seed_, kStream, static_cast<uint64_t>(epoch)});
    std::vector<int64_t> mine;
    for (int64_t i = rank_; i < size_used_; i += world_) mine.push_back(all[i / repeats_]);
    return mine;
  }

  /// Which copy of its image the sample at `position` of epoch() is, 0 … repeats - 1.
  int64_t repeat(int64_t position) const { return (rank_ + position * world_) % repeats_; }

 private:
  int64_t size_;
  int64_t size_used_ = 0;
  bool shuffle_;
  uint64_t seed_;
  int64_t rank_, world_, repeats_;
};

}  // namespace wf
