#include "data/sources/packed_file.h"

#include "data/image/decode.h"
#include "data/sources/pack.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

#include <zlib.h>

#include <cstring>
#include <filesystem>

namespace wf::testing {
namespace {

using Names = std::vector<std::string>;

class PackedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PackedWriter file(path_, {"cat", "dog", "none"});
    file.add("dog/1.jpg", 1, "woof");
    file.add("cat/2.jpg", 0, "");
    file.add("dog/3.jpg", 1, "bark bark");
    file.finish();
    good_ = read_file(path_);
  }
  std::string error() {
    return error_of([&] { PackedFile file(path_); });
  }
  // The file with other bytes at `at`, counted from the end when negative.
  std::string with(int64_t at, const std::string& bytes, bool checksum = true) const {
    std::string bad = good_;
    bad.replace(at < 0 ? bad.size() + at : at, bytes.size(), bytes);
    if (checksum) {
      const size_t index = bad.find("bark bark") + 9, end = bad.size() - 12;
      const auto crc = static_cast<uint32_t>(
          crc32(0, reinterpret_cast<const Bytef*>(&bad[index]), static_cast<uInt>(end - index)));
      std::memcpy(&bad[end], &crc, 4);
    }
    return bad;
  }
  std::string error_with(int64_t at, const std::string& bytes, bool checksum = true) {
    write_file(path_, with(at, bytes, checksum));
    return error();
  }

  TempDir folder_;
  const std::string path_ = folder_ / "a.wfpack";
  std::string good_;
};

TEST_F(PackedFileTest, GivesBackWhatWasPut) {
  const PackedFile file(path_);
  ASSERT_EQ(file.size(), 3);
  EXPECT_EQ(file.classes(), (Names{"cat", "dog", "none"}));
  EXPECT_EQ(file.read(0).bytes, "woof");
  EXPECT_EQ(file.read(1).bytes, "");
  EXPECT_EQ(file.read(2).bytes, "bark bark");
  EXPECT_EQ(file.label(2), 1);
  EXPECT_EQ(file.name(2), path_ + "/dog/3.jpg");
  EXPECT_EQ(file.entry_name(1), "cat/2.jpg");
  EXPECT_EQ(file.length(2), 9u);
}

TEST_F(PackedFileTest, TheNumberingOfATrainingSetIsKept) {
  const PackedFile file(path_, {{"none", "new", "dog", "cat"}, {}});
  EXPECT_EQ(file.label(0), 2);
  EXPECT_EQ(file.label(1), 3);
  const auto message = error_of([&] { PackedFile(path_, {{"cat", "dog"}, {}}); });
  EXPECT_TRUE(has(message, "none: a class that is not one of the model's")) << message;
}

TEST_F(PackedFileTest, NothingStaysOfAFileThatWasNotFinished) {
  { PackedWriter(folder_ / "b.wfpack", {"a"}).add("a/1.jpg", 0, "x"); }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(PackedFileTest, AImageWithWrongBytesIsUnreadableByItsName) {
  write_file(path_, with(static_cast<int64_t>(good_.find("woof")), "wolf", false));
  const PackedFile file(path_);
  EXPECT_EQ(file.read(2).bytes, "bark bark");
  try {
    file.read(0);
    FAIL() << "no error";
  } catch (const UnreadableImage& problem) {
    EXPECT_TRUE(has(problem.what(), "a.wfpack/dog/1.jpg: damaged")) << problem.what();
  }
}

TEST_F(PackedFileTest, DamageAtTheEndIsOneLine) {
  EXPECT_TRUE(has(error_with(0, "JFIF"), "not a file of wf_pack"));
  EXPECT_TRUE(has(error_with(8, "\x02"), "version 2 of the format"));
  EXPECT_TRUE(has(error_with(-60, "?", false), "damaged at its end"));
  const std::string all(8, '\xFF'), zero(8, '\0');
  for (int64_t at : {-40, -32}) {
    EXPECT_TRUE(has(error_with(at, all), "damaged at its end"));
    EXPECT_TRUE(has(error_with(at, zero), "damaged at its end"));
  }
  EXPECT_TRUE(has(error_with(-24, all), "damaged at its end"));
  EXPECT_TRUE(has(error_with(-24, zero), "holds no image"));
  EXPECT_TRUE(has(error_with(-16, all.substr(4)), "damaged at its end"));
}

TEST_F(PackedFileTest, AnIndexThatPointsOutsideIsRefusedThoughItsChecksumFits) {
  const auto records = static_cast<int64_t>(good_.find("none") + 4);
  const std::string wide(8, '\xFF'), just = std::string("\xF0\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 8);
  for (int64_t field : {0, 8, 16}) {
    for (const auto& value : {wide, just}) {
      const auto message = error_with(records + 40 + field, value);
      EXPECT_TRUE(has(message, "damaged at its image 1")) << field << ": " << message;
    }
  }
  EXPECT_TRUE(has(error_with(records + 24, wide.substr(4)), "damaged at its image 0"));
  EXPECT_TRUE(has(error_with(records + 28, std::string("\3\0\0\0", 4)), "at its image 0"));
  EXPECT_EQ(error_with(records + 28, std::string("\2\0\0\0", 4)), "");
}

TEST_F(PackedFileTest, CutAnywhereOrWithAnyByteWrongItNeverCrashes) {
  for (size_t i = 0; i < good_.size(); ++i) {
    write_file(path_, good_.substr(0, i));
    EXPECT_NE(error(), "") << i;
    const auto wrong = static_cast<char>(good_[i] ^ "\x01\x80\xFF"[i % 3]);
    for (const bool checksum : {false, true}) {
      write_file(path_, with(static_cast<int64_t>(i), std::string(1, wrong), checksum));
      error_of([&] {
        const PackedFile file(path_);
        for (int64_t k = 0; k < file.size(); ++k) error_of([&] { file.read(k); });
      });
    }
  }
}

TEST_F(PackedFileTest, AFileCutWhileInUseIsUnreadableAndNotTheEndOfTheProcess) {
  PackedWriter large(folder_ / "b.wfpack", {"a"});
  large.add("a/1.jpg", 0, std::string(100'000, 'x'));
  large.finish();
  const PackedFile file(folder_ / "b.wfpack");
  std::filesystem::resize_file(folder_ / "b.wfpack", 100);
  EXPECT_TRUE(has(error_of([&] { file.read(0); }), "has become shorter"));
}

PackOptions reducing(int threads) {
  PackOptions options;
  options.side = 16;
  options.threads = threads;
  return options;
}

TEST(Pack, KeepsTheBytesWhenNothingIsToBeReduced) {
  const TempDir folder;
  const ToyDataset toys(300, 12, {3});
  const auto report = pack(toys, folder / "a.wfpack", {});
  EXPECT_EQ(report.packed, 299);
  EXPECT_EQ(report.reduced, 0);
  EXPECT_EQ(report.bytes, std::filesystem::file_size(folder / "a.wfpack"));
  EXPECT_EQ(report.skipped, (Names{"toy 3: damaged on purpose"}));
  const PackedFile file(folder / "a.wfpack");
  ASSERT_EQ(file.size(), 299);
  for (int64_t i = 0; i < file.size(); ++i) {
    const int64_t source = i < 3 ? i : i + 1;
    EXPECT_EQ(file.read(i).bytes, toys.read(source).bytes);
    EXPECT_EQ(file.label(i), toys.label(source));
    EXPECT_EQ(file.entry_name(i), toys.name(source));
  }
}

TEST(Pack, ReducesTheShorterSideWithTheSameBytesForAnyNumberOfThreads) {
  const TempDir folder;
  const ToyDataset large(20, 40), small(4, 16);
  EXPECT_EQ(pack(large, folder / "1.wfpack", reducing(1)).reduced, 20);
  pack(large, folder / "5.wfpack", reducing(5));
  EXPECT_EQ(read_file(folder / "1.wfpack"), read_file(folder / "5.wfpack"));
  const Image image = PackedFile(folder / "1.wfpack").load(2);
  EXPECT_EQ(image.width, 16);
  EXPECT_EQ(image.height, 16);
  EXPECT_EQ(pack(small, folder / "s.wfpack", reducing(1)).reduced, 0);
  EXPECT_EQ(PackedFile(folder / "s.wfpack").read(3).bytes, small.read(3).bytes);
}

TEST(Pack, WithNothingReadableThereIsNoFile) {
  const TempDir folder;
  const auto message = error_of([&] {
    pack(ToyDataset(2, 8, {0, 1}), folder / "a.wfpack", reducing(2));
  });
  EXPECT_TRUE(has(message, "none of the 2 images can be read: toy 0: damaged on purpose"))
      << message;
  EXPECT_FALSE(std::filesystem::exists(folder / "a.wfpack"));
}

}  // namespace
}  // namespace wf::testing
