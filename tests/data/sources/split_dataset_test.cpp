#include "data/sources/split_dataset.h"

#include "support/toy_data.h"

#include <gtest/gtest.h>

#include <set>

namespace wf::testing {
namespace {

std::set<std::string> names(const Dataset& images) {
  std::set<std::string> out;
  for (int64_t i = 0; i < images.size(); ++i) out.insert(images.name(i));
  return out;
}

TEST(SplitDataset, HoldsOutTheSamePartOfEachClass) {
  const auto all = std::make_shared<ToyDataset>(100, 8);
  const auto [train, held_out] = split_dataset(all, 0.2, 0);
  ASSERT_EQ(train->size(), 80);
  ASSERT_EQ(held_out->size(), 20);
  int64_t of_class_1 = 0;
  for (int64_t i = 0; i < held_out->size(); ++i) of_class_1 += held_out->label(i);
  EXPECT_EQ(of_class_1, 10);
  EXPECT_EQ(held_out->classes(), all->classes());
  // Every image is in one of the two, with its own bytes.
  auto both = names(*train);
  const auto other = names(*held_out);
  both.insert(other.begin(), other.end());
  EXPECT_EQ(both, names(*all));
  EXPECT_EQ(held_out->read(0).bytes, all->read(std::stoll(held_out->name(0).substr(4))).bytes);
}

TEST(SplitDataset, IsAFunctionOfTheSeed) {
  const auto all = std::make_shared<ToyDataset>(100, 8);
  const auto drawn = [&](uint64_t seed) { return names(*split_dataset(all, 0.2, seed).held_out); };
  EXPECT_EQ(drawn(3), drawn(3));
  EXPECT_NE(drawn(3), drawn(4));
}

TEST(SplitDataset, LeavesNoClassWithoutTrainingImages) {
  const auto small = split_dataset(std::make_shared<ToyDataset>(4, 8), 0.9, 0);
  EXPECT_EQ(small.train->size(), 2);
  const auto single =
      split_dataset(std::make_shared<ToyDataset>(2, 8), 0.5, 0);  // one of each class
  EXPECT_EQ(single.train->size(), 2);
  EXPECT_EQ(single.held_out->size(), 0);
}

}  // namespace
}  // namespace wf::testing
