#include "data/sources/selection.h"

#include "data/sources/image_folder.h"
#include "runtime/log.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

using Names = std::vector<std::string>;

class SelectionTest : public ::testing::Test {
 protected:
  SelectionTest() {
    for (const char* name : {"n1/a.jpg", "n1/b.jpg", "n2/a.jpg", "n3/sub/c.png"}) {
      write_file(folder_ / ("data/" + std::string(name)), name);
    }
    all_ = std::make_shared<ImageFolder>(folder_ / "data");
  }
  std::string list(const std::string& text) {
    write_file(folder_ / "list.txt", text);
    return folder_ / "list.txt";
  }
  std::shared_ptr<Dataset> mapped(const std::string& text, Names classes = {}) {
    return with_class_map(all_, list(text), std::move(classes));
  }
  // The bytes, and the classes by their names.
  static Names contents(const Dataset& images) {
    Names out;
    for (int64_t i = 0; i < images.size(); ++i) {
      out.push_back(std::string(images.read(i).bytes) + "=" + images.classes()[images.label(i)]);
    }
    return out;
  }
  TempDir folder_;
  std::shared_ptr<const Dataset> all_;
};

TEST_F(SelectionTest, AClassMapNamesNumbersAndLeavesOut) {
  const auto lines = mapped("n3\nn1\n");
  EXPECT_EQ(lines->classes(), (Names{"n3", "n1"}));
  EXPECT_EQ(contents(*lines), (Names{"n1/a.jpg=n1", "n1/b.jpg=n1", "n3/sub/c.png=n3"}));
  const auto numbered = mapped("n1 2\nn2\t0\n n3  1\n");
  EXPECT_EQ(numbered->classes(), (Names{"n2", "n3", "n1"}));
  EXPECT_EQ(numbered->label(0), 2);
  const auto named = mapped("n1 tench, Tinca tinca\nn9 goldfish\nn2\n");
  EXPECT_EQ(named->classes(), (Names{"tench, Tinca tinca", "goldfish", "n2"}));
  EXPECT_EQ(contents(*named).back(), "n2/a.jpg=n2");
}

TEST_F(SelectionTest, AClassMapFollowsTheClassesOfTraining) {
  EXPECT_EQ(mapped("n1 tench\nn2 carp\n", {"carp", "x", "tench"})->label(0), 2);
  EXPECT_EQ(mapped("n1 tench\nn2 carp\n", {"n2", "n1"})->label(0), 1) << "trained without a map";
  const auto message = error_of([&] { mapped("n1 tench\nn2 carp\n", {"tench"}); });
  EXPECT_TRUE(has(message, "carp: a class that is not one of the model's")) << message;
}

TEST_F(SelectionTest, ClassesThatAreNumbersAreTheLinesOfTheMap) {
  TempDir data;
  for (const char* name : {"0/a.jpg", "1/b.jpg"}) write_file(data / name, name);
  all_ = std::make_shared<ImageFolder>(data.path());
  EXPECT_EQ(contents(*mapped("cat\ndog\n")), (Names{"0/a.jpg=cat", "1/b.jpg=dog"}));
  EXPECT_EQ(contents(*mapped("1 cat\n0 dog\n")), (Names{"0/a.jpg=dog", "1/b.jpg=cat"}));
}

TEST_F(SelectionTest, ABadClassMapIsOneLine) {
  const std::vector<std::pair<std::string, std::string>> expected{
      {"cat\ndog\n", "has none of the 3 classes of the data, such as n1; its first line is of cat"},
      {"n1\nn1\n", "list.txt:2: n1 is there twice"},
      {"n1 x\nn2 x\n", "list.txt:2: n2 x is there twice"},
      {"n1 0\nn2 0\n", "list.txt:2: n2 has the number 0 of n1"},
      {"n1 0\nn2 2\n", "list.txt:2: the number 2, and the numbers of 2 classes are 0 to 1"},
      {"n1 -1\n", "the number -1"},
      {"n1 \xFF\n", "must be UTF-8"},
      {"\n", "list.txt: is empty"}};
  for (const auto& [text, message] : expected) {
    const auto refused = error_of([&] { mapped(text); });
    EXPECT_TRUE(has(refused, message)) << text << refused;
  }
}

TEST_F(SelectionTest, ASubsetKeepsTheOrderOfTheImages) {
  const auto subset = subset_of(all_, list("c\nn2/a.jpg\ntrain/n1/a\ngone.jpg\nn2/a.jpg\n"));
  EXPECT_EQ(contents(*subset), (Names{"n1/a.jpg=n1", "n2/a.jpg=n2", "n3/sub/c.png=n3"}));
  EXPECT_EQ(subset->classes(), all_->classes());
}

TEST_F(SelectionTest, ABadSubsetIsOneLine) {
  const std::vector<std::pair<std::string, std::string>> expected{
      {"n1/b.jpg\na.jpg\n", "list.txt:2: a.jpg may be "},
      {"n4/a.jpg\nb.png\n", "names none of the 4 images, such as "},
      {"", "is empty"}};
  for (const auto& [text, message] : expected) {
    const auto refused = error_of([&] { subset_of(all_, list(text)); });
    EXPECT_TRUE(has(refused, message)) << text << refused;
    EXPECT_EQ(refused.find('\n'), std::string::npos);
  }
}

TEST_F(SelectionTest, NamesWithoutAnImageAreInTheLog) {
  log::open(folder_ / "log.txt");
  subset_of(all_, list("n1/b.jpg\ngone.jpg\n"));
  const auto text = read_file(folder_ / "log.txt");
  EXPECT_TRUE(has(text, "1 of its names are of no image, such as gone.jpg")) << text;
}

}  // namespace
}  // namespace wf::testing
