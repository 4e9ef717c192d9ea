#include "data/sources/real_labels.h"

#include "data/sources/image_folder.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

class RealLabelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "val/a/ILSVRC2012_val_00000003.JPEG", "x");
    write_file(folder_ / "val/b/ILSVRC2012_val_00000001.JPEG", "x");
    write_file(folder_ / "val/b/ILSVRC2012_val_00000002.JPEG", "x");
  }
  std::vector<std::vector<int64_t>> read(const std::string& json) {
    write_file(folder_ / "real.json", json);
    return real_labels(ImageFolder(folder_ / "val"), folder_ / "real.json");
  }
  std::string error(const std::string& json) {
    return error_of([&] { read(json); });
  }
  TempDir folder_;
};

TEST_F(RealLabelsTest, AreFoundByTheNumberInTheName) {
  EXPECT_EQ(read("[[1], [], [0, 1], [0]]"), (std::vector<std::vector<int64_t>>{{0, 1}, {1}, {}}));
}

TEST_F(RealLabelsTest, ErrorsAreOneLine) {
  for (const char* json : {"", "{}", "[", "[[1], [2]", "[]", "7"}) {
    EXPECT_TRUE(has(error(json), "real.json: expected a JSON list")) << error(json);
  }
  EXPECT_TRUE(has(error("[[1], 1, []]"), "element 1 is no list"));
  for (const char* bad : {"2", "-1", "0.5", "\"a\"", "99999999999999999999"}) {
    const auto message = error("[[1], [" + std::string(bad) + "], []]");
    EXPECT_TRUE(has(message, "element 1 has the class ")) << message;
  }
  EXPECT_TRUE(has(error("[[1], [1]]"), "00000003.JPEG: ")) << error("[[1], [1]]");
  write_file(folder_ / "val/b/cat.JPEG", "x");
  EXPECT_TRUE(has(error("[[1], [1], [1]]"), "finds the labels of an image by a name such as"));
}

}  // namespace
}  // namespace wf::testing
