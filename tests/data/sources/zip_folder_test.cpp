#include "data/sources/zip_folder.h"

#include "data/image/decode.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/zip_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace wf::testing {
namespace {

using Names = std::vector<std::string>;

class ZipFolderTest : public ::testing::Test {
 protected:
  std::unique_ptr<ZipFolder> open(const std::string& zip, const std::string& map,
                                  Names classes = {}) {
    write_file(folder_ / "a.zip", zip);
    write_file(folder_ / "map.txt", map);
    const ZipFolderOptions options{std::move(classes), {}};
    return std::make_unique<ZipFolder>(folder_ / "a.zip", folder_ / "map.txt", options);
  }
  std::string error(const std::string& zip, const std::string& map, Names classes = {}) {
    return error_of([&] { open(zip, map, std::move(classes)); });
  }
  std::string read_error(const std::string& zip, int64_t i = 0) {
    const auto set = open(zip, map_);
    return error_of([&] { set->read(i); });
  }

  const std::string long_ = std::string(5000, 'c') + "end";
  const std::vector<ZipItem> items_{{"b/", "", false},
                                    {"b/2.jpg", "two", false},
                                    {"a/1.jpg", long_, true},
                                    {"a/3.jpg", "", true}};
  const std::string map_ = "b/2.jpg\t1\na/1.jpg\t0\r\n\n/a/3.jpg\t0\n";
  TempDir folder_;
};

TEST_F(ZipFolderTest, ImagesAreInTheMapsOrderWithItsLabels) {
  for (const auto& zip : {zip_bytes(items_), zip_bytes(items_, /*wide=*/true),
                          zip_bytes(items_, false, "a comment PK\5\6 in the way")}) {
    const auto set = open(zip, map_);
    ASSERT_EQ(set->size(), 3);
    EXPECT_EQ(set->classes(), (Names{"a", "b"}));
    EXPECT_EQ(set->name(0), folder_ / "a.zip/b/2.jpg");
    EXPECT_EQ(set->label(0), 1);
    EXPECT_EQ(set->label(2), 0);
    EXPECT_EQ(set->read(0).bytes, "two");
    EXPECT_EQ(set->read(1).bytes, long_);
    EXPECT_EQ(set->read(2).bytes, "");
  }
}

TEST_F(ZipFolderTest, BytesOutliveTheSet) {
  auto set = open(zip_bytes(items_), map_);
  const Encoded stored = set->read(0), unpacked = set->read(1);
  set.reset();
  EXPECT_EQ(stored.bytes, "two");
  EXPECT_EQ(unpacked.bytes, long_);
}

TEST_F(ZipFolderTest, ClassesWithoutDirectoriesOfTheirOwnAreNumbered) {
  const std::vector<ZipItem> flat{{"val/1.jpg", "x", false}, {"val/2.jpg", "y", false}};
  const std::string map = "val/1.jpg\t2\nval/2.jpg\t0\n";
  EXPECT_EQ(open(zip_bytes(flat), map)->classes(), (Names{"0", "1", "2"}));
  EXPECT_EQ(open(zip_bytes(flat), map, {"x", "y", "z"})->classes(), (Names{"x", "y", "z"}));
  const auto few = error(zip_bytes(flat), map, {"x", "y"});
  EXPECT_TRUE(has(few, "has the class number 2, and the training set has only the classes 0 to 1"))
      << few;
  const auto swapped = error(zip_bytes(items_), map_, {"b", "a"});
  EXPECT_TRUE(has(swapped, "gives the class a the number 0, and in training it has 1")) << swapped;
}

TEST_F(ZipFolderTest, AImageThatTheArchiveLacksIsUnreadableAndNotDropped) {
  const auto set = open(zip_bytes(items_), map_ + "a/gone.jpg\t0\n");
  EXPECT_EQ(set->size(), 4);
  EXPECT_THROW(set->read(3), UnreadableImage);
  const auto none = error(zip_bytes(items_), "c/1.jpg\t0\n");
  EXPECT_TRUE(has(none, "holds none of the 1 images")) << none;
}

TEST_F(ZipFolderTest, ABadLineOfTheMapIsNamed) {
  for (const char* line : {"b/2.jpg", "b/2.jpg 1", "\t1", "b/2.jpg\t-1", "b/2.jpg\t1x", "b/2.jpg\t",
                           "b/2.jpg\t99999999999", "b/2.jpg\t5000000"}) {
    const auto message = error(zip_bytes(items_), "a/1.jpg\t0\n" + std::string(line));
    EXPECT_TRUE(has(message, "map.txt:2: expected path/in/zip, a tab")) << message;
  }
  EXPECT_TRUE(has(error(zip_bytes(items_), "\n"), "names no image"));
}

TEST_F(ZipFolderTest, DamageInTheArchiveIsAnUnreadableImage) {
  const std::string good = zip_bytes(items_);
  const auto with = [&](size_t at, const std::string& bytes) {
    return std::string(good).replace(at, bytes.size(), bytes);
  };
  const size_t local = good.find("PK\3\4", 4), directory = good.find("PK\1\2", 0),
               entry = good.find("PK\1\2", directory + 4);
  EXPECT_TRUE(has(read_error(with(good.find("two"), "tow")), "CRC-32 does not match"));
  EXPECT_TRUE(has(read_error(with(local, "XX")), "its location in the archive is invalid"));
  EXPECT_TRUE(has(read_error(with(entry + 10, "\x63")), "other than store and deflate"));
  EXPECT_TRUE(has(read_error(with(entry + 8, "\1")), "encrypted"));
  EXPECT_TRUE(has(read_error(with(entry + 24, "\x09")), "contradict each other"));
  EXPECT_TRUE(has(read_error(with(entry + 20, "\xF0\xF0\xF0\x0F")),
                  "its location in the archive is invalid"));
  const size_t packed = good.find("PK\1\2", entry + 4);
  EXPECT_TRUE(has(read_error(with(packed + 24, "\x10\x10"), 1), "does not unpack"));
  EXPECT_TRUE(has(read_error(with(packed + 24, "\xF0\xF0\xF0\x0F"), 1), "contradict each other"));
  EXPECT_TRUE(has(read_error(with(packed + 24, "\xF0\xF0\xF0\xF0"), 1), "larger than 1 GiB"));
}

// Opens and reads what can be read. Whatever the bytes, it may only end in an error.
void exercise(const std::string& zip, const std::string& map) {
  error_of([&] {
    const ZipFolder set(zip, map);
    for (int64_t i = 0; i < set.size(); ++i) error_of([&] { set.read(i); });
  });
}

TEST_F(ZipFolderTest, CutAnywhereOrWithAnyByteWrongItNeverCrashes) {
  for (const bool wide : {false, true}) {
    const std::string good = zip_bytes(items_, wide);
    open(good, map_);
    for (size_t i = 0; i < good.size(); ++i) {
      const auto message = error(good.substr(0, i), map_);
      EXPECT_TRUE(has(message, "truncated")) << i << ": " << message;
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ "\x01\x80\xFF"[i % 3]);
      write_file(folder_ / "a.zip", bad);
      exercise(folder_ / "a.zip", folder_ / "map.txt");
    }
  }
}

TEST_F(ZipFolderTest, AnArchiveCutWhileInUseIsUnreadableAndNotTheEndOfTheProcess) {
  const std::vector<ZipItem> large{{"a/1.jpg", std::string(100'000, 'x'), false}};
  const auto set = open(zip_bytes(large), "a/1.jpg\t0\n");
  std::filesystem::resize_file(folder_ / "a.zip", 100);
  EXPECT_TRUE(has(error_of([&] { set->read(0); }), "has become shorter"));
}

}  // namespace
}  // namespace wf::testing
