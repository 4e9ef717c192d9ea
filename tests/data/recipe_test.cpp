// The full recipe: the augmentation of an image depends only on its key.

#include "weightformer/config/config.h"
#include "weightformer/core/check.h"
#include "weightformer/data/loader.h"

#include "data/device_batch.h"
#include "data/image_reader.h"
#include "engine/classification/build.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>
#include <set>

namespace wf::testing {
namespace {

constexpr int64_t kPictures = 60;

// The published defaults, and more parts to erase.
Config recipe(int size) {
  Config config;
  config.data.img_size = size;
  config.data.interpolation = InterpolationMode::random;
  config.aug.reprob = 0.8;
  config.aug.recount = 3;
  return config;
}

struct Set {
  int size = 40;  // above 32: random resized crops
  int workers = 0, world = 1, rank = 0;
  int64_t repeats = 1, batch = 5;
  bool bytes = false;
  std::string policy = "rand-m9-mstd0.5-inc1";
};

std::unique_ptr<Loader> make(const Set& set) {
  auto config = recipe(set.size);
  config.aug.auto_augment = set.policy;
  LoaderOptions options;
  options.batch_size = set.batch;
  options.workers = set.workers;
  options.train = true;
  options.seed = 5;
  return std::make_unique<Loader>(
      make_image_reader(std::make_shared<ToyDataset>(kPictures, 50), build_train_transform(config),
                        set.bytes),
      Sampler(kPictures, true, options.seed, set.rank, set.world, set.repeats), options);
}

// An image's copies, in the order in which they came.
using Pictures = std::map<int64_t, std::vector<at::Tensor>>;

void collect(Pictures& found, Loader& loader, int64_t epoch, int64_t first = 0) {
  loader.start(epoch, first);
  for (Batch batch; loader.next(batch);) {
    const auto images = model_input(batch, c10::kCPU);
    for (size_t i = 0; i < batch.indices.size(); ++i) {
      found[batch.indices[i]].push_back(images[static_cast<int64_t>(i)].clone());
    }
  }
}

Pictures all(const Set& set, int64_t epoch = 3) {
  Pictures out;
  collect(out, *make(set), epoch);
  return out;
}

void expect_same(const Pictures& actual, const Pictures& expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (const auto& [index, copies] : expected) {
    ASSERT_EQ(actual.at(index).size(), copies.size()) << what << " " << index;
    for (size_t i = 0; i < copies.size(); ++i) {
      EXPECT_TRUE(torch::equal(actual.at(index)[i], copies[i])) << what << " " << index;
    }
  }
}

class Recipe : public ::testing::TestWithParam<int> {};

TEST_P(Recipe, GivesAImageTheSameBitsForAnyWorkersProcessesAndRestart) {
  Set plain;
  plain.size = GetParam();
  const auto expected = all(plain);
  ASSERT_EQ(expected.size(), static_cast<size_t>(kPictures));

  auto threads = plain;
  threads.workers = 4;
  expect_same(all(threads), expected, "four workers");

  auto ranks = plain;
  ranks.world = 3;
  ranks.batch = 4;
  Pictures together;
  for (ranks.rank = 0; ranks.rank < ranks.world; ++ranks.rank) {
    ranks.workers = ranks.rank;
    collect(together, *make(ranks), 3);
  }
  expect_same(together, expected, "three processes");

  const auto restarted = make(threads);
  Pictures rest;
  collect(rest, *restarted, 3, /*first=*/7);
  EXPECT_EQ(rest.size(), 25u);
  for (const auto& [index, copies] : rest) {
    EXPECT_TRUE(torch::equal(copies[0], expected.at(index)[0])) << "restarted " << index;
  }

  int changed = 0;
  for (const auto& [index, copies] : all(plain, /*epoch=*/4)) {
    changed += !torch::equal(copies[0], expected.at(index)[0]);
  }
  EXPECT_GE(changed, kPictures - 1) << "another epoch, another augmentation";
}
INSTANTIATE_TEST_SUITE_P(LargeAndSmall, Recipe, ::testing::Values(40, 24));

TEST(RepeatedAugmentation, EachImageComesThreeTimesEachTimeAnotherOne) {
  Set set;
  set.repeats = 3;
  const auto images = all(set);
  EXPECT_EQ(images.size(), static_cast<size_t>(kPictures / 3));
  for (const auto& [index, copies] : images) {
    ASSERT_EQ(copies.size(), 3u) << index;
    EXPECT_FALSE(torch::equal(copies[0], copies[1])) << index;
    EXPECT_FALSE(torch::equal(copies[1], copies[2])) << index;
    EXPECT_FALSE(torch::equal(copies[0], copies[2])) << index;
  }
  const auto other = all(set, 4);
  std::set<int64_t> both;
  for (const auto& [index, copies] : images) both.insert(index);
  for (const auto& [index, copies] : other) both.insert(index);
  EXPECT_GT(both.size(), images.size()) << "another epoch, other images";

  // Over two processes the copies go to different ones, and are the same.
  Pictures together;
  set.world = 2;
  set.workers = 2;
  for (set.rank = 0; set.rank < 2; ++set.rank) collect(together, *make(set), 3);
  ASSERT_EQ(together.size(), images.size());
  for (const auto& [index, copies] : images) {
    for (const auto& copy : together.at(index)) {
      const bool known = torch::equal(copy, copies[0]) || torch::equal(copy, copies[1]) ||
                         torch::equal(copy, copies[2]);
      EXPECT_TRUE(known) << index;
    }
  }
}

TEST(Sampler, WithRepeatsAnEpochKeepsItsLengthAndEachRankItsShare) {
  for (int world : {1, 2, 5}) {
    std::map<int64_t, std::set<int64_t>> seen;
    int64_t total = 0;
    for (int rank = 0; rank < world; ++rank) {
      const Sampler sampler(20, true, 1, rank, world, 3);
      const auto order = sampler.epoch(6);
      EXPECT_EQ(static_cast<int64_t>(order.size()), sampler.size());
      total += sampler.size();
      for (size_t i = 0; i < order.size(); ++i) {
        EXPECT_TRUE(seen[order[i]].insert(sampler.repeat(static_cast<int64_t>(i))).second);
      }
    }
    EXPECT_EQ(total, 20);
    EXPECT_EQ(seen.size(), 7u);  // 6 x 3 and the 2 that remain
  }
  const Sampler once(20, true, 1), ones(20, true, 1, 0, 1, 1);
  EXPECT_EQ(once.epoch(2), ones.epoch(2));
  EXPECT_EQ(once.repeat(13), 0);
  EXPECT_THROW(Sampler(20, /*shuffle=*/false, 1, 0, 1, 3), Error);
  EXPECT_THROW(Sampler(20, true, 1, 0, 1, 0), Error);
}

class Erasing : public ::testing::TestWithParam<ErasingFill> {};

TEST_P(Erasing, OfBytesOnTheDeviceEqualsThatOfTheWorkers) {
  auto config = recipe(40);
  config.aug.remode = GetParam();
  LoaderOptions options;
  options.batch_size = 16;
  options.workers = 2;
  options.train = true;
  const auto start = [&](bool bytes) {
    auto reader = make_image_reader(std::make_shared<ToyDataset>(kPictures, 50),
                                    build_train_transform(config), bytes);
    auto loader = std::make_unique<Loader>(std::move(reader), Sampler(kPictures, true, 0), options);
    loader->start(0);
    return loader;
  };
  const auto of_numbers = start(false), of_bytes = start(true);
  int64_t erased = 0;
  Batch numbers, bytes;
  while (of_numbers->next(numbers)) {
    ASSERT_TRUE(of_bytes->next(bytes));
    ASSERT_EQ(bytes.inputs.scalar_type(), torch::kByte);
    EXPECT_TRUE(torch::equal(numbers.labels, bytes.labels));
    erased += static_cast<int64_t>(bytes.erased.size());
    const auto made = model_input(bytes, c10::kCPU);
    EXPECT_LE((made - numbers.inputs).abs().max().item<float>(), 1e-6);
  }
  EXPECT_GT(erased, kPictures / 2);
}
INSTANTIATE_TEST_SUITE_P(Modes, Erasing,
                         ::testing::Values(ErasingFill::zero, ErasingFill::color,
                                           ErasingFill::pixel));

TEST(RecipeFromConfig, NoneOfItChangesNothing) {
  auto config = recipe(16);
  config.data.interpolation = InterpolationMode::bicubic;
  config.aug.auto_augment = "none";
  config.aug.color_jitter = config.aug.reprob = config.aug.hflip = 0;
  config.aug.crop_padding = 0;
  const auto image = toy_picture(3, 16);
  ImageDecoder picture{ImageView(image)};
  CounterRng rng{1};
  const auto sample = build_train_transform(config)->sample(picture, rng);
  EXPECT_EQ(sample.image.pixels, image.pixels);
  EXPECT_TRUE(sample.erased.empty());
}

TEST(RecipeFromConfig, ColorJitterIsForNoPolicyAndForThreeAugment) {
  const auto brightness_moves = [](const std::string& policy, double jitter) {
    Config config;
    config.data.img_size = 16;
    config.aug.auto_augment = policy;
    config.aug.color_jitter = jitter;
    config.aug.reprob = config.aug.hflip = 0;
    config.aug.crop_padding = 0;
    const auto image = toy_picture(3, 16);
    ImageDecoder picture{ImageView(image)};
    CounterRng rng{1};
    return build_train_transform(config)->sample(picture, rng).image.pixels != image.pixels;
  };
  EXPECT_TRUE(brightness_moves("none", 0.4));
  EXPECT_FALSE(brightness_moves("none", 0));
  EXPECT_FALSE(brightness_moves("rand-n0", 0.4));
  EXPECT_TRUE(brightness_moves("3a", 0.4));
}

TEST(RecipeFromConfig, ABadPolicyNamesTheKeyAndWhatIsKnown) {
  Config config;
  for (const char* policy : {"rand-x3", "randm9", "rand-m", "rand-inc2", "rand-n1.5", "rand-w0-n16",
                             "original-m9", "v1", "-", "rand--m9", "augmix-n3", "rand-mnan"}) {
    config.aug.auto_augment = policy;
    try {
      build_train_transform(config);
      FAIL() << policy << " was taken";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.exit_code(), 2);
      EXPECT_EQ(message.rfind("AUG.AUTO_AUGMENT '", 0), 0u) << message;
      EXPECT_NE(message.find("known are none; rand"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace wf::testing
