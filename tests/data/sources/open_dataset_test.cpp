#include "data/sources/open_dataset.h"

#include "data/image/decode.h"
#include "data/sources/pack.h"
#include "data/transforms.h"
#include "runtime/log.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/zip_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class OpenDatasetTest : public ::testing::Test {
 protected:
  OpenDatasetTest() {
    source_.path = folder_.path();
    source_.cache_listing = false;
  }
  void add(const std::string& file, const std::string& bytes = "x") {
    write_file(folder_ / file, bytes);
  }
  std::string error(const std::string& split, Names classes = {}) {
    return error_of([&] { open_dataset(source_, split, std::move(classes)); });
  }
  // The log of opening the set.
  std::string log_of(const std::string& split, Names classes = {}) {
    const std::string file = folder_ / "log.txt";
    fs::remove(file);
    log::open(file);
    const auto before = read_file(file).size();  // the lines of earlier tests
    open_dataset(source_, split, std::move(classes));
    return read_file(file).substr(before);
  }
  TempDir folder_;
  DataSourceOptions source_;
};

TEST_F(OpenDatasetTest, TakesThePackedFileWhereThereIsOneElseTheDirectory) {
  add("train/a/1.jpg", "one");
  add("train/b/2.jpg", "two");
  const auto folder = open_dataset(source_, "train");
  EXPECT_EQ(folder->name(1), folder_ / "train/b/2.jpg");
  PackOptions options;
  options.root = folder_ / "train";
  pack(*folder, folder_ / "train.wfpack", options);
  const auto packed = open_dataset(source_, "train");
  EXPECT_EQ(packed->name(1), folder_ / "train.wfpack/b/2.jpg");
  for (int64_t i = 0; i < 2; ++i) {
    EXPECT_EQ(packed->read(i).bytes, folder->read(i).bytes);
    EXPECT_EQ(packed->label(i), folder->label(i));
  }
  EXPECT_EQ(packed->classes(), folder->classes());
}

TEST_F(OpenDatasetTest, ReadsAZipWhenAskedAndSuggestsItOtherwise) {
  add("train.zip", zip_bytes({{"a/1.jpg", "one", false}}));
  add("train_map.txt", "a/1.jpg\t0\n");
  EXPECT_TRUE(has(error("train"), "--zip reads it")) << error("train");
  source_.zip = true;
  for (const auto mode : {CacheMode::no, CacheMode::part, CacheMode::full}) {
    source_.cache = {mode, 1, 2};
    EXPECT_EQ(open_dataset(source_, "train")->read(0).bytes, "one");
  }
  EXPECT_TRUE(has(error("val"), "val.zip: cannot read: No such file")) << error("val");
  fs::remove(folder_ / "train_map.txt");
  EXPECT_TRUE(has(error("train"), "train_map.txt: cannot read")) << error("train");
}

TEST_F(OpenDatasetTest, ReadsCifar100sTwoFiles) {
  source_.dataset = DatasetKind::cifar100;
  std::string names;
  for (int i = 0; i < 100; ++i) names += "n" + std::to_string(i) + "\n";
  add("fine_label_names.txt", names);
  add("train.bin", std::string(3074 * 2, '\x05'));
  add("test.bin", std::string(3074, '\x06'));
  EXPECT_EQ(open_dataset(source_, "train")->size(), 2);
  EXPECT_EQ(open_dataset(source_, "val")->label(0), 6);
}

TEST_F(OpenDatasetTest, WarnsAboutEmptyAndSingleClasses) {
  add("train/b/1.jpg");
  add("train/b/readme.txt");
  for (int i = 0; i < 12; ++i) fs::create_directories(folder_ / "train/e" + std::to_string(10 + i));
  const auto empty = log_of("train");
  EXPECT_TRUE(has(empty, "the train set has no image of 12 of its 13 classes: e10, e11")) << empty;
  EXPECT_TRUE(has(empty, "e19, ...")) << empty;
  EXPECT_TRUE(has(empty,
                  "1 files that are no images by their name are left out, such as "
                  "b/readme.txt"))
      << empty;
  EXPECT_FALSE(has(empty, "a single class")) << empty;
  add("val/b/1.jpg");
  EXPECT_TRUE(has(log_of("val", {"b", "c"}), "val set has no image of 1 of its 2 classes: c"));
  for (int i = 0; i < 12; ++i) fs::remove(folder_ / "train/e" + std::to_string(10 + i));
  EXPECT_TRUE(has(log_of("train"), "a single class, b"));
  EXPECT_TRUE(has(error("val", {"c"}), "val/b: a class that is not one of the model's"));
  add("train.zip", zip_bytes({{"a/1.jpg", "one", false}, {"b/2.jpg", "two", false}}));
  add("train_map.txt", "a/1.jpg\t0\na/5.jpg\t0\na/6.jpg\t0\n");
  source_.zip = true;
  const auto zip = log_of("train");
  EXPECT_TRUE(has(zip, "2 of the 3 images")) << zip;
  EXPECT_TRUE(has(zip, "such as a/5.jpg")) << zip;
  EXPECT_TRUE(has(zip, "1 images are left out, as")) << zip;
}

TEST_F(OpenDatasetTest, AFileThatIsGoneSinceTheListingIsUnreadable) {
  add("train/a/1.jpg");
  const auto set = open_dataset(source_, "train");
  fs::remove(folder_ / "train/a/1.jpg");
  EXPECT_THROW(set->read(0), UnreadableImage);
  EXPECT_TRUE(has(error_of([&] { set->read(0); }), "cannot read: No such file"));
}

TEST_F(OpenDatasetTest, DamagedImagesAreUnreadableInEveryFormat) {
  std::vector<ZipItem> items;
  std::string map;
  for (const auto& file : fs::directory_iterator(WF_GOLDEN_DIR "/images_bad")) {
    const auto name = "a/" + file.path().filename().string();
    const auto bytes = read_file(file.path().string());
    add("train/" + name, bytes);
    items.push_back({name, bytes, items.size() % 2 == 0});
    map += name + "\t0\n";
  }
  add("train.zip", zip_bytes(items));
  add("train_map.txt", map);
  const auto folder = open_dataset(source_, "train");
  pack(*folder, folder_ / "train.wfpack", {});
  const auto packed = open_dataset(source_, "train");
  source_.zip = true;
  for (const auto& set : {folder, packed, open_dataset(source_, "train")}) {
    ASSERT_EQ(set->size(), 6);
    int unreadable = 0;
    for (int64_t i = 0; i < set->size(); ++i) {
      try {
        set->load(i);
      } catch (const UnreadableImage&) {
        ++unreadable;
      }
    }
    // Flipped bytes still decode, as in every JPEG reader.
    EXPECT_GE(unreadable, 5) << set->name(0);
  }
}

TEST(Transforms, ImagesOfAnyShapeGoThrough) {
  for (const int size : {32, 48}) {
    TransformOptions options;
    options.size = size;
    const auto train = make_train_transform(options), eval = make_eval_transform(options);
    const std::vector<std::pair<int, int>> shapes{{1, 1}, {20000, 20}, {20, 20000}, {1, 3000}};
    for (const auto& [height, width] : shapes) {
      const Image image{height, width,
                        std::vector<uint8_t>(static_cast<size_t>(height) * width * 3, 128)};
      // As a file too: what a loader would meet.
      const Image decoded = decode_image(as_ppm(image).bytes, "gray");
      ASSERT_EQ(decoded.pixels, image.pixels);
      std::vector<float> out(static_cast<size_t>(size) * size * 3, NAN);
      for (uint64_t draw = 0; draw < 5; ++draw) {
        CounterRng rng{draw};
        (*train)(decoded, rng, out.data());
        for (float value : out) ASSERT_TRUE(std::isfinite(value)) << height << "x" << width;
      }
      CounterRng rng{9};
      (*eval)(decoded, rng, out.data());
      for (float value : out) ASSERT_NEAR(value, 0.07f, 0.4f) << height << "x" << width;
    }
  }
}

TEST(ReadAhead, TheShareOfARankOrAll) {
  using Ranges = std::vector<std::pair<size_t, size_t>>;
  constexpr size_t kPlenty = size_t{1} << 40;
  EXPECT_EQ(read_ahead_ranges(100, {CacheMode::no, 0, 1}, kPlenty), Ranges{});
  EXPECT_EQ(read_ahead_ranges(100, {CacheMode::part, 0, 1}, kPlenty), (Ranges{{0, 100}}));
  EXPECT_EQ(read_ahead_ranges(100, {CacheMode::full, 1, 4}, kPlenty), (Ranges{{25, 75}, {0, 25}}));
  EXPECT_EQ(read_ahead_ranges(100, {CacheMode::full, 1, 4}, 99), Ranges{});
  EXPECT_EQ(read_ahead_ranges(100, {CacheMode::part, 1, 4}, 25), (Ranges{{25, 25}}));
  EXPECT_EQ(read_ahead_ranges(0, {CacheMode::full, 0, 1}, kPlenty), Ranges{});
  size_t at = 0;  // the parts cover the file
  for (int rank = 0; rank < 7; ++rank) {
    const auto ranges = read_ahead_ranges(1'000'003, {CacheMode::part, rank, 7}, kPlenty);
    EXPECT_EQ(ranges.at(0).first, at);
    at += ranges.at(0).second;
  }
  EXPECT_EQ(at, 1'000'003u);
}

}  // namespace
}  // namespace wf::testing
