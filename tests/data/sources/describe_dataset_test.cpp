#include "data/sources/describe_dataset.h"

#include "data/sources/image_folder.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

TEST(DescribeDataset, IsTheSameForACopyElsewhereAndAnotherForEveryOtherList) {
  const TempDir folder;
  write_toy_folder(folder / "a", 8, 0, 8);
  fs::copy(folder / "a", folder / "copy of a", fs::copy_options::recursive);
  const auto text = [&](const char* root) {
    return describe_dataset(ImageFolder(folder / (std::string(root) + "/train")));
  };
  const auto original = text("a");
  EXPECT_EQ(original.rfind("2 classes\nclass 0 'level' with 4 images (checksum of their names ", 0),
            0u)
      << original;
  EXPECT_EQ(text("copy of a"), original);
  fs::rename(folder / "copy of a/train/level/1.png", folder / "copy of a/train/level/0.png");
  EXPECT_NE(text("copy of a"), original) << "another name";
  fs::rename(folder / "copy of a/train/level/0.png", folder / "copy of a/train/upright/1.png");
  EXPECT_NE(text("copy of a"), original) << "another label";
}

class Reordered : public ToyDataset {
 public:
  using ToyDataset::ToyDataset;
  std::string name(int64_t i) const override { return ToyDataset::name(i ^ 2); }
};

TEST(DescribeDataset, DependsOnTheOrder) {
  EXPECT_EQ(describe_dataset(ToyDataset(8, 4)), describe_dataset(ToyDataset(8, 4)));
  EXPECT_NE(describe_dataset(ToyDataset(8, 4)), describe_dataset(Reordered(8, 4)));
}

}  // namespace
}  // namespace wf::testing
