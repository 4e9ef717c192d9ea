// What the loader makes of shards: every sample once in an epoch, and the same after a restart.

#include "weightformer/data/loader.h"

#include "data/image_reader.h"
#include "data/sources/tar_images.h"
#include "data/transforms.h"
#include "support/tar_writer.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>

namespace wf::testing {
namespace {

constexpr int64_t kShards = 3, kPerShard = 9, kImages = kShards * kPerShard;
constexpr uint64_t kSeed = 5;

class TarEpoch : public ::testing::Test {
 protected:
  TarEpoch() {
    std::vector<std::string> files;
    for (int64_t shard = 0, image = 0; shard < kShards; ++shard) {
      std::vector<TarItem> items;
      for (int64_t i = 0; i < kPerShard; ++i, ++image) {
        const auto bytes = as_ppm(toy_picture(image, 12));
        items.push_back({std::to_string(image) + ".ppm", std::string(bytes.bytes)});
        items.push_back({std::to_string(image) + ".cls", std::to_string(image % 2)});
      }
      files.push_back(folder_ / (std::to_string(shard) + ".tar"));
      write_file(files.back(), tar_bytes(items));
    }
    TransformOptions options;
    options.size = 8;
    reader_ = make_image_reader(std::make_shared<TarImages>(files), make_train_transform(options));
  }
  std::unique_ptr<Loader> loader(int rank, int world, int workers) const {
    LoaderOptions options;
    options.batch_size = 4;
    options.workers = workers;
    options.train = true;
    options.seed = kSeed;
    return std::make_unique<Loader>(reader_, Sampler(kImages, /*shuffle=*/true, kSeed, rank, world),
                                    options);
  }
  static std::vector<Batch> rest_of(Loader& loader) {
    std::vector<Batch> batches;
    for (Batch batch; loader.next(batch); batch = Batch()) batches.push_back(batch);
    return batches;
  }
  TempDir folder_;
  std::shared_ptr<const SampleReader> reader_;
};

TEST_F(TarEpoch, HasEverySampleOnceForAnyRanksAndWorkers) {
  std::map<int64_t, at::Tensor> inputs;  // by sample
  for (const int world : {1, 2, 3, 5}) {
    for (const int workers : {0, 1, 3}) {
      std::map<int64_t, int> times;
      for (int rank = 0; rank < world; ++rank) {
        const auto part = loader(rank, world, workers);
        part->start(2);
        for (const auto& batch : rest_of(*part)) {
          for (int64_t i = 0; i < batch.size(); ++i) {
            const auto sample = batch.indices[i];
            ++times[sample];
            EXPECT_EQ(batch.labels[i].item<int64_t>(), sample % 2);
            const auto [at, first] = inputs.emplace(sample, batch.inputs[i].clone());
            EXPECT_TRUE(torch::equal(at->second, batch.inputs[i])) << sample;
          }
        }
      }
      EXPECT_EQ(times.size(), static_cast<size_t>(kImages)) << world << " ranks";
      for (const auto& [sample, count] : times) EXPECT_EQ(count, 1) << sample;
    }
  }
}

TEST_F(TarEpoch, ResumedInTheMiddleIsTheSame) {
  const auto unbroken = loader(0, 1, 2);
  unbroken->start(1);
  const auto all = rest_of(*unbroken);
  ASSERT_EQ(all.size(), 7u);
  for (size_t first = 1; first < all.size(); ++first) {
    const auto resumed = loader(0, 1, first % 3);
    resumed->start(1, static_cast<int64_t>(first));
    const auto rest = rest_of(*resumed);
    ASSERT_EQ(rest.size(), all.size() - first);
    for (size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(rest[i].indices, all[first + i].indices);
      EXPECT_TRUE(torch::equal(rest[i].inputs, all[first + i].inputs));
    }
  }
}

}  // namespace
}  // namespace wf::testing
