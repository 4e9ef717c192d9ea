#include "data/sources/image_folder.h"

#include "weightformer/core/check.h"
#include "weightformer/data/sampler.h"

#include "data/sources/open_dataset.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace wf::testing {
namespace {

using Names = std::vector<std::string>;

class ImageFolderTest : public ::testing::Test {
 protected:
  void add(const std::string& file) { write_file(folder_ / file, "x"); }
  std::string error(const std::string& root, Names classes = {}) {
    try {
      ImageFolder(folder_ / root, {std::move(classes), {}});
    } catch (const Error& problem) {
      return problem.what();
    }
    return "";
  }
  TempDir folder_;
};

TEST_F(ImageFolderTest, ClassesAndImagesAreInOrderAndOtherFilesAreNotSeen) {
  for (const char* file : {"r/b/2.JPEG", "r/b/10.png", "r/a/x.webp", "r/Z/1.jpg", "r/a/deep/y.bmp",
                           "r/a/notes.txt", "r/a/.hidden.png", "r/.git/z.png", "r/loose.png"}) {
    add(file);
  }
  const ImageFolder set(folder_ / "r");
  EXPECT_EQ(set.classes(), (Names{"Z", "a", "b"}));
  Names files;
  for (int64_t i = 0; i < set.size(); ++i) {
    files.push_back(set.name(i).substr(folder_.path().size() + 3) + " " +
                    std::to_string(set.label(i)));
  }
  EXPECT_EQ(files,
            (Names{"Z/1.jpg 0", "a/deep/y.bmp 1", "a/x.webp 1", "b/10.png 2", "b/2.JPEG 2"}));
}

TEST_F(ImageFolderTest, GivenClassesKeepTheirNumbers) {
  add("v/b/1.png");
  const ImageFolder set(folder_ / "v", {{"a", "b"}, {}});
  EXPECT_EQ(set.label(0), 1);
  EXPECT_EQ(empty_classes(set), Names{"a"});
  EXPECT_NE(error("v", {"a", "c"}).find("v/b: a class that is not one of the model's"),
            std::string::npos);
}

TEST_F(ImageFolderTest, MissingFilesAreOneLine) {
  EXPECT_NE(error("none").find("none: cannot list the directory"), std::string::npos)
      << error("none");
  std::filesystem::create_directories(folder_ / "empty");
  EXPECT_NE(error("empty").find("no class directories in it"), std::string::npos) << error("empty");
  add("bare/a/readme.txt");
  EXPECT_NE(error("bare").find("no images in its 1 class directories"), std::string::npos)
      << error("bare");
}

TEST(Sampler, OverTheRanksEverySampleComesOnce) {
  for (int world : {1, 2, 3, 8}) {
    std::multiset<int64_t> seen;
    int64_t total = 0;
    for (int rank = 0; rank < world; ++rank) {
      const Sampler sampler(101, true, 5, rank, world);
      const auto order = sampler.epoch(3);
      EXPECT_EQ(static_cast<int64_t>(order.size()), sampler.size());
      total += sampler.size();
      seen.insert(order.begin(), order.end());
    }
    EXPECT_EQ(total, 101);
    EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 101u);
  }
}

TEST(Sampler, TheOrderIsAFunctionOfSeedAndEpoch) {
  const Sampler a(50, true, 1), b(50, true, 1), other(50, true, 2), plain(50, false, 1);
  EXPECT_EQ(a.epoch(4), b.epoch(4));
  EXPECT_NE(a.epoch(4), a.epoch(5));
  EXPECT_NE(a.epoch(4), other.epoch(4));
  EXPECT_EQ(plain.epoch(9).front(), 0);
  EXPECT_EQ(plain.epoch(9).back(), 49);
}

TEST(ImageFolder, AClassNameThatIsNotUtf8IsAnErrorAtTheStart) {
  const TempDir folder;
  write_file(folder / "caf\xe9/a.jpg", "x");
  try {
    ImageFolder(folder.path());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("must be UTF-8"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace wf::testing
