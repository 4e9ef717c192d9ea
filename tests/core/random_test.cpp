#include "weightformer/core/random.h"

#include "core/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace wf::testing {
namespace {

TEST(CounterRng, DependsOnlyOnTheKey) {
  CounterRng a{1, 2, 3}, b{1, 2, 3}, c{1, 3, 2}, d{1, 2};
  const auto first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_NE(first, d.next());
}

TEST(CounterRng, NeighbouringKeysGiveUnrelatedNumbers) {
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 100; ++i) {
    for (uint64_t j = 0; j < 100; ++j) seen.insert(CounterRng{i, j}.next());
  }
  EXPECT_EQ(seen.size(), 10000u);
}

TEST(CounterRng, MomentsAreThoseOfTheDistributions) {
  CounterRng rng{5};
  constexpr int kCount = 100000;
  double uniform = 0, normal = 0, square = 0, below = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = rng.uniform(), n = rng.normal();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    const auto k = rng.below(7);
    ASSERT_GE(k, 0);
    ASSERT_LT(k, 7);
    uniform += u / kCount;
    normal += n / kCount;
    square += n * n / kCount;
    below += static_cast<double>(k) / kCount;
  }
  // Five standard errors.
  EXPECT_NEAR(uniform, 0.5, 5 * 0.2887 / 316);
  EXPECT_NEAR(normal, 0, 5.0 / 316);
  EXPECT_NEAR(square, 1, 5 * 1.4143 / 316);
  EXPECT_NEAR(below, 3, 5 * 2.0 / 316);
}

TEST(Permutation, HoldsEveryNumberOnceInAnOrderOfItsKey) {
  const auto order = permutation(1000, CounterRng{1, 0});
  EXPECT_EQ(order, permutation(1000, CounterRng{1, 0}));
  EXPECT_NE(order, permutation(1000, CounterRng{1, 1}));
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_NE(order, sorted);
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(sorted[i], i);
  EXPECT_TRUE(permutation(0, CounterRng{1}).empty());
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(nearest("CLIP_GRADS", {"BASE_LR", "CLIP_GRAD", "EPOCHS"}), "CLIP_GRAD");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace wf::testing
