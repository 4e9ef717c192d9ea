#include "data/sources/tar_files.h"

#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

using Names = std::vector<std::string>;

TEST(TarFiles, AreAFileAPatternOrADirectoryOfThem) {
  TempDir folder;
  EXPECT_EQ(tar_files("x/a.tar"), Names{"x/a.tar"});
  EXPECT_EQ(tar_files("x/{a,b}.tar"), (Names{"x/a.tar", "x/b.tar"}));
  EXPECT_EQ(tar_files(folder.path()), Names{});
  for (const char* name : {"2.tar", "10.tar", "10.tar.wfindex", ".hidden.tar", "read.me"}) {
    write_file(folder / name, "");
  }
  EXPECT_EQ(tar_files(folder.path()), (Names{folder / "10.tar", folder / "2.tar"}));
  write_file(folder / "class/1.jpg", "");
  EXPECT_EQ(tar_files(folder.path()), Names{}) << "a directory of classes";
}

TEST(TarFiles, OfASplitAreFoundByTheNamesThatPeopleGiveThem) {
  TempDir folder;
  for (const char* name : {"imagenet1k-train-0001.tar", "imagenet1k-train-0000.tar",
                           "imagenet1k-validation-00.tar", "other-0.tar", "strain-0.tar"}) {
    write_file(folder / name, "");
  }
  EXPECT_EQ(tar_files_of_split(folder.path(), "train"),
            (Names{folder / "imagenet1k-train-0000.tar", folder / "imagenet1k-train-0001.tar"}));
  EXPECT_EQ(tar_files_of_split(folder.path(), "val"),
            Names{folder / "imagenet1k-validation-00.tar"});
  write_file(folder / "train-0.tar", "");
  EXPECT_TRUE(has(error_of([&] { tar_files_of_split(folder.path(), "train"); }),
                  "has shards of imagenet1k-train and of train: DATA.TRAIN"));
  write_file(folder / "ILSVRC2012_img_train.tar", "");
  EXPECT_EQ(tar_files_of_split(folder.path(), "train"), Names{folder / "ILSVRC2012_img_train.tar"});
  write_file(folder / "train.tar", "");
  EXPECT_EQ(tar_files_of_split(folder.path(), "train"), Names{folder / "train.tar"});
  EXPECT_EQ(tar_files_of_split(folder / "none", "train"), Names{});
}

}  // namespace
}  // namespace wf::testing
