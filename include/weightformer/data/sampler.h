#pragma once

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include <cstdint>
#include <vector>

namespace wf {

/// The order in which one process sees a dataset. It depends on the seed and the epoch alone; over
/// the ranks of a run every picture comes exactly once an epoch.
class Sampler {
 public:
  Sampler(int64_t size, bool shuffle, uint64_t seed, int rank = 0, int world = 1)
      : size_(size), shuffle_(shuffle), seed_(seed), rank_(rank), world_(world) {
    WF_CHECK(size >= 0 && world > 0 && rank >= 0 && rank < world, "Sampler: rank ", rank, " of ",
             world, ", ", size, " samples");
  }

  /// How many samples an epoch has here.
  int64_t size() const { return (size_ - rank_ + world_ - 1) / world_; }

  std::vector<int64_t> epoch(int64_t epoch) const {
    constexpr uint64_t kStream = 0x6f72646572;  // keeps this draw apart from the augmentations'
    std::vector<int64_t> all(size_);
    std::iota(all.begin(), all.end(), int64_t{0});
    if (shuffle_)
      all = permutation(size_, CounterRng{seed_, kStream, static_cast<uint64_t>(epoch)});
    std::vector<int64_t> mine;
    for (int64_t i = rank_; i < size_; i += world_) mine.push_back(all[i]);
    return mine;
  }

 private:
  int64_t size_;
  bool shuffle_;
  uint64_t seed_;
  int64_t rank_, world_;
};

}  // namespace wf
