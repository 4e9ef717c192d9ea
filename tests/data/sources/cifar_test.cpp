#include "data/sources/cifar.h"

#include "data/image/decode.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

class Cifar100Test : public ::testing::Test {
 protected:
  static std::string record(int coarse, int fine, char shift) {
    std::string out{static_cast<char>(coarse), static_cast<char>(fine)};
    for (int i = 0; i < 3072; ++i) out += static_cast<char>(i / 1024 * 50 + i % 7 + shift);
    return out;
  }
  static std::string names() {
    std::string out;
    for (int i = 0; i < 100; ++i) out += "name" + std::to_string(99 - i) + "\n";
    return out + "\n";
  }
  std::string error() {
    return error_of([&] { Cifar100(folder_.path(), "train.bin"); });
  }
  TempDir folder_;
};

TEST_F(Cifar100Test, LabelsAreTheFineOnesAndThePlanesBecomePixels) {
  for (const std::string place : {"direct/", "unpacked/cifar-100-binary/"}) {
    write_file(folder_ / place + "test.bin", record(3, 7, 0) + record(5, 99, 2));
    write_file(folder_ / place + "fine_label_names.txt", names());
    const Cifar100 set(folder_ / place.substr(0, place.find('/')), "test.bin");
    ASSERT_EQ(set.size(), 2);
    EXPECT_EQ(set.label(0), 7);
    EXPECT_EQ(set.classes()[7], "name92");
    EXPECT_EQ(set.label(1), 99);
    const Image image = set.load(1);
    ASSERT_EQ(image.height, 32);
    ASSERT_EQ(image.width, 32);
    for (int at : {0, 1, 33, 1023}) {
      for (int channel = 0; channel < 3; ++channel) {
        EXPECT_EQ(image.pixels[at * 3 + channel], channel * 50 + (channel * 1024 + at) % 7 + 2);
      }
    }
  }
}

TEST_F(Cifar100Test, TheNumberingOfACheckpointIsKept) {
  write_file(folder_ / "test.bin", record(0, 0, 0));
  write_file(folder_ / "fine_label_names.txt", names());
  std::vector<std::string> turned;
  for (int i = 0; i < 100; ++i) turned.push_back("name" + std::to_string(i));
  EXPECT_EQ(Cifar100(folder_.path(), "test.bin", turned).label(0), 99);
}

TEST_F(Cifar100Test, ErrorsAreOneLine) {
  EXPECT_TRUE(has(error(), "no train.bin here")) << error();
  write_file(folder_ / "train.bin", record(0, 1, 0));
  EXPECT_TRUE(has(error(), "fine_label_names.txt: cannot read")) << error();
  write_file(folder_ / "fine_label_names.txt", "apple\n");
  EXPECT_TRUE(has(error(), "names 1 classes, expected 100")) << error();
  write_file(folder_ / "fine_label_names.txt", names());
  EXPECT_EQ(error(), "");
  write_file(folder_ / "train.bin", record(0, 1, 0) + "x");
  EXPECT_TRUE(has(error(), "has 3075 bytes, not a multiple of the 3074")) << error();
  write_file(folder_ / "train.bin", "");
  EXPECT_TRUE(has(error(), "has 0 bytes")) << error();
  write_file(folder_ / "train.bin", record(0, 1, 0) + record(0, 100, 0));
  EXPECT_TRUE(has(error(), "image 1 is of the class 100")) << error();
}

}  // namespace
}  // namespace wf::testing
