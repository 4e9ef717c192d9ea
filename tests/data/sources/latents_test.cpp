#include "data/sources/latents.h"

#include "weightformer/data/loader.h"

#include "core/npy.h"
#include "data/latent_reader.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class LatentsTest : public ::testing::Test {
 protected:
  void save(const std::string& file, const at::Tensor& array) {
    fs::create_directories(fs::path(directory_ / file).parent_path());
    write_npy(directory_ / file, array);
  }
  // fast-DiT's layout: sample i is full of i, its label i % 3.
  void save_fast_dit(int64_t count, const std::string& prefix = "imagenet256_") {
    for (int64_t i = 0; i < count; ++i) {
      const auto name = std::to_string(i) + ".npy";
      save(prefix + "features/" + name, torch::full({1, 4, 8, 8}, static_cast<float>(i)));
      save(prefix + "labels/" + name, torch::full({1}, i % 3, torch::kLong));
    }
  }
  std::string problem() {
    return error_of([&] {
      const auto latents = open_latents(directory_.path());
      std::vector<float> out(latents->channels() * latents->side() * latents->side());
      for (int64_t i = 0; i < latents->size(); ++i) latents->read(i, nullptr, out.data());
    });
  }

  TempDir directory_;
};

TEST_F(LatentsTest, OfFastDitArePairedInTheOrderOfTheirNames) {
  for (const std::string prefix : {"imagenet256_", ""}) {
    save_fast_dit(12, prefix);
    const auto latents = open_latents(directory_.path());
    ASSERT_EQ(latents->size(), 12);
    EXPECT_EQ(latents->channels(), 4);
    EXPECT_EQ(latents->side(), 8);
    std::vector<float> out(4 * 8 * 8);
    // "10.npy" comes before "2.npy".
    EXPECT_EQ(latents->read(2, nullptr, out.data()), 10 % 3);
    EXPECT_EQ(out[17], 10);
    fs::remove_all(directory_ / (prefix + "features"));
    fs::remove_all(directory_ / (prefix + "labels"));
  }
}

TEST_F(LatentsTest, WithAStandardDeviationAreDrawnInEachEpoch) {
  for (int64_t i = 0; i < 3; ++i) {
    save("00000/" + std::to_string(i) + ".npy",
         torch::cat({torch::full({4, 8, 8}, 2.0f), torch::full({4, 8, 8}, 3.0f)}));
  }
  write_file(directory_ / "dataset.json",
             R"({"labels": [["00000/0.npy", 5], ["00000/1.npy", 0], ["00000/2.npy", 1]]})");
  const auto latents = open_latents(directory_.path());
  std::vector<float> mean(256), draw(256), again(256), other(256);
  EXPECT_EQ(latents->read(0, nullptr, mean.data()), 5);
  EXPECT_FLOAT_EQ(mean[3], 0.18215f * 2);
  CounterRng one{1, 2}, same{1, 2}, next{1, 3};
  auto expected = CounterRng{1, 2};
  latents->read(0, &one, draw.data());
  latents->read(0, &same, again.data());
  latents->read(0, &next, other.data());
  EXPECT_EQ(draw, again);
  EXPECT_NE(draw, other);
  EXPECT_FLOAT_EQ(draw[0], 0.18215f * (2 + 3 * static_cast<float>(expected.normal())));
}

TEST_F(LatentsTest, MayBeOneArray) {
  save("latents.npy", torch::arange(3 * 4 * 4 * 4, torch::kFloat).view({3, 4, 4, 4}));
  save("labels.npy", torch::tensor({2, 0, 1}));
  const auto latents = open_latents(directory_.path());
  std::vector<float> out(64);
  EXPECT_EQ(latents->read(1, nullptr, out.data()), 0);
  EXPECT_EQ(out[0], 64);
}

TEST_F(LatentsTest, GoThroughALoader) {
  save_fast_dit(12);
  const auto latents = open_latents(directory_.path());
  LoaderOptions options;
  options.batch_size = 5;
  options.workers = 2;
  Loader loader(make_latent_reader(latents, 3, /*draw=*/true), Sampler(12, /*shuffle=*/false, 0),
                options);
  loader.start(4);
  Batch batch;
  int64_t seen = 0;
  while (loader.next(batch)) {
    EXPECT_EQ(batch.epoch, 4);
    EXPECT_EQ(batch.inputs.sizes().slice(1), (std::vector<int64_t>{4, 8, 8}));
    for (int64_t i = 0; i < batch.size(); ++i) {
      const auto value = batch.inputs[i][0][0][0].item<int64_t>();
      EXPECT_EQ(batch.labels[i].item<int64_t>(), value % 3);
      ++seen;
    }
  }
  EXPECT_EQ(seen, 12);
}

TEST_F(LatentsTest, AreRefusedInOneLineWhenTheyAreNotWhatTheySeem) {
  EXPECT_TRUE(has(problem(), "holds no latents")) << problem();
  save_fast_dit(3);
  EXPECT_EQ(problem(), "");
  fs::remove(directory_ / "imagenet256_labels/1.npy");
  EXPECT_TRUE(has(problem(), "every latent needs its label")) << problem();
  save("imagenet256_labels/7.npy", torch::full({1}, 1, torch::kLong));
  EXPECT_TRUE(has(problem(), "1.npy would get the label of 2.npy")) << problem();
  fs::remove(directory_ / "imagenet256_labels/7.npy");
  save("imagenet256_labels/1.npy", torch::full({1}, -2, torch::kLong));
  EXPECT_TRUE(has(problem(), "1.npy: the label -2")) << problem();
  save("imagenet256_labels/1.npy", torch::full({1}, 1.0));
  EXPECT_TRUE(has(problem(), "expected one label, int64")) << problem();
  save("imagenet256_labels/1.npy", torch::full({1}, 1, torch::kLong));
  save("imagenet256_features/1.npy", torch::full({1, 4, 4, 4}, 1.0f));
  EXPECT_TRUE(has(problem(), "1.npy: a latent [4, 4, 4] among those of [4, 8, 8]")) << problem();
  save("imagenet256_features/1.npy", torch::full({1, 4, 8, 8}, NAN));
  EXPECT_TRUE(has(problem(), "1.npy: holds numbers that are not finite")) << problem();
  save("imagenet256_features/1.npy", torch::ones({1, 4, 8, 8}, torch::kDouble));
  EXPECT_TRUE(has(problem(), "expected float32")) << problem();
  fs::remove_all(directory_ / "imagenet256_labels");
  EXPECT_TRUE(has(problem(), "no directory of labels beside it")) << problem();
}

TEST_F(LatentsTest, WithALabelThatTheModelHasNotAreRefused) {
  save_fast_dit(3);
  Loader loader(make_latent_reader(open_latents(directory_.path()), 2, false),
                Sampler(3, /*shuffle=*/false, 0), {});
  loader.start(0);
  Batch batch;
  const auto message = error_of([&] {
    while (loader.next(batch)) {
    }
  });
  EXPECT_TRUE(has(message, "the label 2 is not below MODEL.NUM_CLASSES, 2")) << message;
}

}  // namespace
}  // namespace wf::testing
