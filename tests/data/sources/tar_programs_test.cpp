// Tar files that make_tars.py writes with Python's tarfile, GNU tar and webdataset.

#include "data/sources/open_dataset.h"
#include "data/sources/tar_files.h"
#include "data/sources/tar_index.h"
#include "support/errors.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace wf::testing {
namespace {

class TarPrograms : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    const auto made =
        run({WF_PYTHON, WF_SOURCE_DIR "/tests/data/sources/make_tars.py", directory_->path()});
    ASSERT_EQ(made.code, 0) << made.err;
    expected_ = nlohmann::json::parse(read_file(*directory_ / "expected.json"));
  }
  static void TearDownTestSuite() {
    delete directory_;
    directory_ = nullptr;
  }
  static std::shared_ptr<Dataset> open(const std::string& name) {
    DataSourceOptions options;
    options.cache_listing = false;
    return open_images(*directory_ / name, options);
  }
  static void expect_as_written(const std::string& name) {
    const auto images = open(name);
    const auto& rows = expected_.at(name);
    ASSERT_EQ(images->size(), static_cast<int64_t>(rows.size())) << name;
    for (int64_t i = 0; i < images->size(); ++i) {
      const auto& row = rows[static_cast<size_t>(i)];
      const auto found = images->name(i), wanted = "/" + row[0].get<std::string>();
      EXPECT_EQ(found.substr(found.size() - wanted.size()), wanted) << name;
      EXPECT_EQ(images->classes()[images->label(i)], row[1].get<std::string>()) << found;
      EXPECT_EQ(images->read(i).bytes, row[2].get<std::string>()) << found;
    }
  }
  static TempDir* directory_;
  static nlohmann::json expected_;
};
TempDir* TarPrograms::directory_ = nullptr;
nlohmann::json TarPrograms::expected_;

TEST_F(TarPrograms, OfPythonsTarfileInItsThreeFormats) {
  for (const char* name : {"ustar.tar", "gnu.tar", "pax.tar"}) expect_as_written(name);
}

TEST_F(TarPrograms, ATarOfTarsAsImageNetIs) { expect_as_written("ILSVRC2012_img_train.tar"); }

TEST_F(TarPrograms, OfGnuTarWithoutItsLinksAndSparseFiles) {
  int files = 0;
  for (const char* form : {"gnu", "oldgnu", "posix", "ustar"}) {
    const auto name = str("tar_", form, ".tar");
    if (!expected_.contains(name)) continue;  // a tar that is not GNU's
    ++files;
    const auto images = open(name);
    EXPECT_EQ(images->size(), 9) << name;
    const auto bytes = read_file(*directory_ / name);
    const TarStamp stamp{bytes.size(), 0};
    const auto index = make_tar_index(bytes, name, stamp, 2);
    const TarIndex read(index, nullptr, stamp);
    EXPECT_EQ(read.skipped, name == "tar_ustar.tar" ? 2u : 3u);
    EXPECT_TRUE(has(read.first_skipped, "link)")) << read.first_skipped;
    for (int64_t i = 0; i < images->size(); ++i) {
      const auto content = std::string(images->read(i).bytes);
      EXPECT_EQ(content.rfind("the bytes of n0", 0), 0u) << images->name(i);
    }
  }
  if (files == 0) GTEST_SKIP() << "needs GNU tar";
}

TEST_F(TarPrograms, OfWebdatasetsShardWriter) {
  if (!expected_.contains("txt.tar")) GTEST_SKIP() << "needs webdataset (PyPI)";
  expect_as_written("shards/imagenet-train-{000000..000002}.tar");
  expect_as_written("txt.tar");
  expect_as_written("json.tar");
  EXPECT_EQ(open("shards")->size(), 20) << "a directory of shards";
  EXPECT_EQ(tar_files_of_split(*directory_ / "shards", "train").size(), 3u);
}

}  // namespace
}  // namespace wf::testing
