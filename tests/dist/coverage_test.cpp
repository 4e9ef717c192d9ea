// Over all ranks, every image occurs once.

#include "weightformer/data/loader.h"

#include "data/image_reader.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

#include <map>

namespace wf::testing {
namespace {

// How often each image occurs in an epoch, over all ranks.
std::map<int64_t, int> seen(int64_t size, int world, int64_t epoch, bool even) {
  std::map<int64_t, int> count;
  for (int rank = 0; rank < world; ++rank) {
    const Sampler sampler(size, /*shuffle=*/true, /*seed=*/5, rank, world, /*repeats=*/1, even);
    const auto mine = sampler.epoch(epoch);
    EXPECT_EQ(static_cast<int64_t>(mine.size()), sampler.size());
    if (even) EXPECT_EQ(sampler.size(), size / world);
    for (int64_t index : mine) ++count[index];
  }
  return count;
}

TEST(Coverage, EveryImageOccursOncePerEpochForAnyWorldSize) {
  for (int64_t size : {0, 1, 7, 64, 2000}) {
    for (int world : {1, 2, 3, 7, 8}) {
      const auto count = seen(size, world, /*epoch=*/3, /*even=*/false);
      EXPECT_EQ(static_cast<int64_t>(count.size()), size) << world;
      for (const auto& [index, times] : count) EXPECT_EQ(times, 1) << index;
    }
  }
}

TEST(Coverage, EvenPartsDropLessThanOneImagePerRank) {
  for (int world : {1, 2, 3, 7}) {
    const auto first = seen(2000, world, 0, true), second = seen(2000, world, 1, true);
    EXPECT_EQ(static_cast<int64_t>(first.size()), 2000 / world * world);
    for (const auto& [index, times] : first) EXPECT_EQ(times, 1) << index;
    if (2000 % world != 0) EXPECT_NE(first, second) << world;
  }
}

TEST(Coverage, StepsOfManyRanksHoldTheImagesOfOneRanksSteps) {
  const int64_t size = 100, batch = 4;
  const auto single = Sampler(size, true, 9).epoch(2);
  const int world = 3;
  for (int64_t step = 0; step < size / (batch * world); ++step) {
    std::set<int64_t> together;
    for (int rank = 0; rank < world; ++rank) {
      const auto mine = Sampler(size, true, 9, rank, world, 1, true).epoch(2);
      together.insert(mine.begin() + step * batch, mine.begin() + (step + 1) * batch);
    }
    const auto begin = single.begin() + step * batch * world;
    EXPECT_EQ(together, std::set<int64_t>(begin, begin + batch * world)) << step;
  }
}

TEST(Coverage, TwoThousandImagesOnThreeRanksAtBatchSeven) {
  const auto data = std::make_shared<ToyDataset>(2000, 8);
  std::map<int64_t, int> count;
  for (int rank = 0; rank < 3; ++rank) {
    TransformOptions transform;
    transform.size = 8;
    LoaderOptions options;
    options.batch_size = 7;
    Loader loader(make_image_reader(data, make_eval_transform(transform)),
                  Sampler(2000, false, 0, rank, 3), options);
    loader.start(0);
    for (Batch batch; loader.next(batch);) {
      for (int64_t index : batch.indices) ++count[index];
    }
  }
  EXPECT_EQ(count.size(), 2000u);
  for (const auto& [index, times] : count) EXPECT_EQ(times, 1) << index;
}

}  // namespace
}  // namespace wf::testing
