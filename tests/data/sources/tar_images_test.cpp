#include "data/sources/tar_images.h"

#include "weightformer/core/random.h"

#include "data/image/decode.h"
#include "data/sources/image_folder.h"
#include "support/errors.h"
#include "support/tar_writer.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;
using Items = std::vector<TarItem>;

// In another order than a directory has them.
const Items kByDirectory{{"top/b/1.jpg", "b1"},   {"top/a/x/0.png", "ax0"}, {"top/a/2.jpg", "a2"},
                         {"top/a/10.jpg", "a10"}, {"top/a/read.me", "no"},  {"top/a-b/1.jpg", "c"},
                         {"top/a/.2.jpg", "no"}};

class TarImagesTest : public ::testing::Test {
 protected:
  std::string add(const std::string& name, const Items& items) {
    write_file(folder_ / name, tar_bytes(items));
    return folder_ / name;
  }
  // The same as an image directory, without "top/".
  std::unique_ptr<ImageFolder> as_folder() {
    for (const auto& item : kByDirectory) {
      write_file(folder_ / ("directory/" + item.name.substr(4)), item.bytes);
    }
    return std::make_unique<ImageFolder>(folder_ / "directory");
  }
  static std::unique_ptr<TarImages> open(const Names& files, Names classes = {},
                                         const std::string& labels = "") {
    TarImagesOptions options;
    options.classes = std::move(classes);
    options.labels = labels;
    return std::make_unique<TarImages>(files, std::move(options));
  }
  static std::string error(const Names& files, Names classes = {}, const std::string& labels = "") {
    return error_of([&] { open(files, std::move(classes), labels); });
  }
  static void expect_equal(const Dataset& a, const Dataset& b) {
    ASSERT_EQ(a.size(), b.size());
    EXPECT_EQ(a.classes(), b.classes());
    for (int64_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a.read(i).bytes, b.read(i).bytes) << a.name(i) << " " << b.name(i);
      EXPECT_EQ(a.label(i), b.label(i));
    }
  }
  TempDir folder_;
};

TEST_F(TarImagesTest, OfDirectoriesAreThoseOfTheImageDirectoryInItsOrder) {
  const auto tar = open({add("train.tar", kByDirectory)});
  expect_equal(*tar, *as_folder());
  EXPECT_EQ(tar->classes(), (Names{"a", "a-b", "b"}));
  EXPECT_EQ(tar->name(0), folder_ / "train.tar/top/a/10.jpg");
}

TEST_F(TarImagesTest, OfInnerTarsAreTheSameInOneFileAndUnpackedOnce) {
  const auto folder = as_folder();
  Items outer;
  Names unpacked;
  for (const std::string name : {"b", "a", "a-b"}) {
    Items inner;
    for (const auto& item : kByDirectory) {
      const auto front = "top/" + name + "/";
      if (item.name.rfind(front, 0) == 0)
        inner.push_back({item.name.substr(front.size()), item.bytes});
    }
    outer.push_back({name + ".tar", tar_bytes(inner)});
    add("classes/" + name + ".tar", inner);
  }
  const auto nested = open({add("ILSVRC2012_img_train.tar", outer)});
  expect_equal(*nested, *folder);
  EXPECT_EQ(nested->name(0), folder_ / "ILSVRC2012_img_train.tar/a.tar/10.jpg");
  expect_equal(
      *open({folder_ / "classes/a-b.tar", folder_ / "classes/a.tar", folder_ / "classes/b.tar"}),
      *folder);
}

TEST_F(TarImagesTest, OfShardsKeepTheirOrderAndNumbersAreClasses) {
  const auto first = add("0.tar", {{"s/9.jpg", "nine"},
                                   {"s/9.cls", "2\n"},
                                   {"s/9.json", "{}"},
                                   {"s/8.seg.png", "no"},
                                   {"s/8.cls", "007"},
                                   {"s/8.png", "eight"}});
  const auto second = add(
      "1.tar",
      {{"1.jpg", "one"}, {"1.json", R"({"x": 1, "label": 0})"}, {"2.JPEG", "two"}, {"2.txt", "1"}});
  const auto shards = open({first, second});
  ASSERT_EQ(shards->size(), 4);
  EXPECT_EQ(shards->classes(), (Names{"0", "1", "2", "3", "4", "5", "6", "7"}));
  const Names bytes{"nine", "eight", "one", "two"};
  const std::vector<int64_t> labels{2, 7, 0, 1};
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(shards->read(i).bytes, bytes[i]);
    EXPECT_EQ(shards->label(i), labels[i]);
  }
  EXPECT_EQ(shards->name(3), folder_ / "1.tar/2.JPEG");
  const Names known{"a", "b", "c", "d", "e", "f", "g", "h", "i"};
  EXPECT_EQ(open({first}, known)->classes(), known);
  EXPECT_TRUE(has(error({first}, {"a", "b"}), "has the class number 7, and the training set has"));
}

TEST_F(TarImagesTest, OfShardsWithNamesOfClassesAreNumberedByThem) {
  const auto path = add("0.tar", {{"1.jpg", "x"},
                                  {"1.cls", "dog"},
                                  {"2.jpg", "y"},
                                  {"2.json", R"({"class": "big cat"})"},
                                  {"3.jpg", "z"},
                                  {"3.cls", "3"}});
  const auto shard = open({path});
  EXPECT_EQ(shard->classes(), (Names{"3", "big cat", "dog"}));
  EXPECT_EQ(shard->label(0), 2);
  EXPECT_TRUE(has(error({path}, {"dog", "3"}), "big cat: a class that is not one of the model's"));
}

TEST_F(TarImagesTest, WhatIsTwiceOrWithoutAClassIsRefusedInOneLine) {
  const TarItem cls{"1.cls", "1"};
  const std::vector<std::pair<Items, std::string>> expected{
      {{{"1.jpg", "x"}, cls, {"1.jpg", "y"}},
       "the key 1 is there twice: 1.jpg at byte 512 and 1.jpg"},
      {{{"1.jpg", "x"}, cls, {"1.png", "y"}}, "the key 1 is there twice"},
      {{{"1.jpg", "x"}, cls, cls}, "the key 1 is there twice"},
      {{{"a/1.jpg", "x"}, {"a/1.jpg", "y"}}, "the image a/1.jpg is there twice"},
      {{{"1.jpg", "x"}, cls, {"2.jpg", "y"}}, "2.jpg is an image without a .cls"},
      {{{"1.jpg", "x"}, {"1.cls", " \n"}}, "1.jpg has no class in its .cls"},
      {{{"1.jpg", "x"}, {"1.txt", "two\nlines"}}, "1.jpg has no class in its"},
      {{{"1.jpg", "x"}, {"1.json", "{\"label\": -1}"}}, "1.jpg has no class in its"},
      {{{"1.jpg", "x"}, {"1.json", "[["}}, "1.jpg has no class in its"},
      {{{"1.jpg", "x"}}, "in no directory of a class and have no .cls, .json or .txt"},
      {{{"1.txt", "x"}}, "no images in it"},
      {{{"a.tar", tar_bytes({})}, {"a.tar", tar_bytes({})}}, "a.tar is there twice"},
      {{{"a.tar", "cut"}}, "x.tar/a.tar: cut short"},
      {{{"a.tar", tar_bytes({{"1.jpg", "x"}})}, {"1.jpg", "x"}, cls}, "expected the same of all"}};
  for (const auto& [items, message] : expected) {
    const auto text = error({add("x.tar", items)});
    EXPECT_TRUE(has(text, message)) << message << ": " << text;
    EXPECT_TRUE(has(text, "x.tar")) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
  const auto a = add("a.tar", {{"1.jpg", "x"}, cls}), b = add("b.tar", {{"b/1.jpg", "x"}});
  EXPECT_TRUE(has(error({a, b}), "expected the same of all")) << error({a, b});
  EXPECT_TRUE(has(error({add("t-0.tar", {{"1.jpg", "x"}}), add("t-1.tar", {{"1.jpg", "x"}})}),
                  "in no directory of a class"));
}

TEST_F(TarImagesTest, WithoutClassesTakeThemFromAFile) {
  const auto tar =
      add("val.tar", {{"v/ILSVRC2012_val_2.JPEG", "two"}, {"v/ILSVRC2012_val_1.JPEG", "one"}});
  const auto with = [&](const std::string& text, Names classes = {}) {
    write_file(folder_ / "labels.txt", text);
    return open({tar}, std::move(classes), folder_ / "labels.txt");
  };
  const auto refused = [&](const std::string& text) {
    return error_of([&] { with(text, {"a", "b"}); });
  };
  for (const char* text : {"b\na\n", "ILSVRC2012_val_1.JPEG b\nILSVRC2012_val_2.JPEG a\r\n",
                           "ILSVRC2012_val_2\ta\nval/gone.JPEG\tc\nv/ILSVRC2012_val_1\tb\n",
                           "ImageId,PredictionString\nILSVRC2012_val_2,a 1 2 3 4\n"
                           "ILSVRC2012_val_1,b 85 1 499 272 \n"}) {
    const std::string lines = text;
    const auto images = with(lines);
    EXPECT_EQ(images->classes(), (Names{"a", "b"})) << lines;
    EXPECT_EQ(images->read(0).bytes, "one");
    EXPECT_EQ(images->label(0), 1) << lines;
    EXPECT_EQ(images->label(1), 0) << lines;
  }
  EXPECT_EQ(with("1\n0\n", {"x", "y"})->label(0), 1);
  EXPECT_TRUE(has(refused("ILSVRC2012_val_1,\nILSVRC2012_val_2,a\n"), ":1: no class for"));
  EXPECT_TRUE(has(refused("490\n1\n"), "are the ILSVRC2012_IDs"));
  EXPECT_TRUE(has(refused("a\n"), "1 classes, one a line, for 2 images"));
  EXPECT_TRUE(has(refused("ILSVRC2012_val_1 a\n"), "has no line for"));
  EXPECT_TRUE(has(refused("ILSVRC2012_val_1 a\nILSVRC2012_val_1 a\n"), ":2: a second class for"));
  EXPECT_TRUE(has(refused("a\nc\n"), "c: a class that is not one of the model's"));
  EXPECT_TRUE(has(refused(""), "labels.txt: is empty"));
  EXPECT_TRUE(
      has(error({tar}, {"n1", "n2"}), "all images are in the directory v, which is no class"));
}

TEST_F(TarImagesTest, AFileCutWhileInUseIsUnreadableAndNotTheEndOfTheProcess) {
  const auto path = add("x.tar", {{"a/1.jpg", std::string(100'000, 'x')}});
  const auto images = open({path});
  const Encoded before = images->read(0);
  EXPECT_EQ(before.bytes.size(), 100'000u);
  fs::resize_file(path, 100);
  EXPECT_THROW(images->read(0), UnreadableImage);
}

class TarIndexTest : public TarImagesTest {
 protected:
  TarIndexTest() { set_age(path_, 60); }
  static void set_age(const std::string& path, int seconds) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }
  std::unique_ptr<TarImages> open_kept() {
    TarImagesOptions options;
    options.index_cache = folder_ / "cache";
    return std::make_unique<TarImages>(Names{path_}, std::move(options));
  }
  // The number of files in the directory that end as temporary ones.
  int temporary_files() {
    int count = 0;
    for (const auto& file : fs::recursive_directory_iterator(folder_.path())) {
      count += has(file.path().filename().string(), ".tmp");
    }
    return count;
  }
  const std::string path_ = add("x.tar", {{"a/1.jpg", "one"}, {"b/2.jpg", "two"}});
  const std::string beside_ = path_ + ".wfindex";
  const std::string cached_ = tar_index_cache_file(path_, folder_ / "cache");
};

TEST_F(TarIndexTest, IsKeptBesideTheFileAndUsedAgain) {
  open_kept();
  const auto bytes = read_file(beside_);
  ASSERT_FALSE(bytes.empty());
  EXPECT_FALSE(fs::exists(cached_));
  EXPECT_EQ(temporary_files(), 0);
  // Archives that are no more: only the index knows what was there.
  const auto time = fs::last_write_time(path_);
  const auto size = fs::file_size(path_);
  write_file(path_, std::string(size, 'x'));
  fs::last_write_time(path_, time);
  EXPECT_EQ(open_kept()->name(1), path_ + "/b/2.jpg");
  EXPECT_EQ(read_file(beside_), bytes);
}

TEST_F(TarIndexTest, IsMadeAgainWhenTheFileChanged) {
  open_kept();
  const auto bytes = read_file(beside_);
  add("x.tar", {{"a/1.jpg", "one"}, {"b/3.jpg", "two"}});
  set_age(path_, 30);  // of the same size
  EXPECT_EQ(open_kept()->name(1), path_ + "/b/3.jpg");
  EXPECT_NE(read_file(beside_), bytes);
  const auto time = fs::last_write_time(path_);
  add("x.tar", {{"a/1.jpg", "one"}, {"b/3.jpg", "two"}, {"b/4.jpg", "x"}});
  fs::last_write_time(path_, time);
  EXPECT_EQ(open_kept()->size(), 3);
}

TEST_F(TarIndexTest, IsInTheCacheWhenItCannotBeBesideTheFile) {
  fs::create_directories(beside_);  // cannot be replaced by a file
  open_kept();
  const auto bytes = read_file(cached_);
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(open_kept()->size(), 2);
  EXPECT_EQ(read_file(cached_), bytes);
}

TEST_F(TarIndexTest, IsNotKeptOfAFileThatJustChangedNorWhenNotWanted) {
  set_age(path_, 0);
  open_kept();
  EXPECT_FALSE(fs::exists(beside_));
  set_age(path_, 60);
  open({path_});
  EXPECT_FALSE(fs::exists(beside_));
}

TEST_F(TarIndexTest, IsIgnoredWhereverItIsDamaged) {
  open_kept();
  const auto good = read_file(beside_);
  for (size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    write_file(beside_, i % 2 ? bad : good.substr(0, i));
    ASSERT_EQ(open_kept()->read(1).bytes, "two") << i;
    ASSERT_EQ(read_file(beside_), good) << i;
  }
}

}  // namespace
}  // namespace wf::testing
