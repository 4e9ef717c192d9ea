// The verdict of wf_bench --compare, on planted numbers.

#include "bench_verdict.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace wf::testing {
namespace {

using Rounds = std::vector<double>;

TEST(BenchVerdict, ASlowMachineDoesNotHideADifferenceInTurn) {
  // The machine becomes three times slower; each round of the new build takes a tenth more time.
  Rounds before, now;
  for (int i = 0; i < 9; ++i) {
    const double speed = 300 - 25 * i;
    before.push_back(speed);
    now.push_back(speed * (0.9 + 0.002 * (i % 3)));
  }
  const auto paired = ratio_in_turn(before, now);
  EXPECT_NEAR(paired.middle, 0.902, 1e-12);
  EXPECT_NEAR(paired.range->first, 0.9, 1e-12);
  EXPECT_NEAR(paired.range->second, 0.904, 1e-12);
  EXPECT_EQ(bench_verdict(paired, Larger::faster), "9.8 % slower");
  // Recorded at two times, the same numbers say nothing.
  EXPECT_EQ(bench_verdict(ratio_of_records(before, now), Larger::faster),
            "no difference beyond the noise");
}

TEST(BenchVerdict, OneRoundThatDisagreesIsNoise) {
  const Rounds before{100, 100, 100, 100, 100, 100, 100, 100, 100};
  const Rounds now{90, 90, 90, 90, 101, 90, 90, 90, 90};
  const auto ratio = ratio_in_turn(before, now);
  EXPECT_DOUBLE_EQ(ratio.middle, 0.9);
  EXPECT_EQ(bench_verdict(ratio, Larger::faster), "no difference beyond the noise");
}

TEST(BenchVerdict, WordsFollowTheFigure) {
  const RatioRange up{1.25, std::pair{1.2, 1.3}}, down{0.8, std::pair{0.7, 0.9}};
  EXPECT_EQ(bench_verdict(up, Larger::faster), "25.0 % faster");
  EXPECT_EQ(bench_verdict(up, Larger::slower), "25.0 % slower");
  EXPECT_EQ(bench_verdict(up, Larger::more), "25.0 % more");
  EXPECT_EQ(bench_verdict(down, Larger::faster), "20.0 % slower");
  EXPECT_EQ(bench_verdict(down, Larger::slower), "20.0 % faster");
  EXPECT_EQ(bench_verdict(down, Larger::more), "20.0 % less");
  EXPECT_EQ(larger_means("images_per_s_median"), Larger::faster);
  EXPECT_EQ(larger_means("backward_ms"), Larger::slower);
  EXPECT_EQ(larger_means("peak_mib"), Larger::more);
  EXPECT_EQ(larger_means("batch"), Larger::none);
}

TEST(BenchVerdict, TooFewRoundsHaveNoVerdict) {
  EXPECT_EQ(bench_verdict(ratio_in_turn(Rounds(7, 1.0), Rounds(7, 2.0)), Larger::faster),
            "too few rounds to say");
  EXPECT_TRUE(ratio_in_turn(Rounds(8, 1.0), Rounds(8, 2.0)).range);
  EXPECT_FALSE(ratio_of_records(Rounds(4, 1.0), Rounds(5, 2.0)).range);
  EXPECT_TRUE(ratio_of_records(Rounds(5, 1.0), Rounds(5, 2.0)).range);
  EXPECT_THROW(ratio_in_turn({1, 2}, {1}), Error);
}

// P(U <= 5) = 19/924 = 0.0206 and P(U <= 2) = 4/924 = 0.0043 for six and six, from published tables
// of the rank-sum test: two values of U on each side leave at most half a percent, and a third.
TEST(BenchVerdict, TheRangeOfRecordsIsThatOfTheTables) {
  Rounds before{1, 2, 4, 8, 16, 32}, now{1, 64, 4096, 262144, 16777216, 1073741824};
  Rounds ratios;
  for (const double a : before) {
    for (const double b : now) ratios.push_back(b / a);
  }
  std::sort(ratios.begin(), ratios.end());
  const auto ratio = ratio_of_records(before, now);
  EXPECT_EQ(ratio.range->first, ratios[2]);
  EXPECT_EQ(ratio.range->second, ratios[33]);
  EXPECT_EQ(median_of({3, 1, 2, 10}), 2.5);
}

// Two builds of equal speed on a noisy machine: at most one comparison in a hundred may accuse one
// of them. Of 2,000, 38 or more would be unlikely at that rate (four standard deviations).
TEST(BenchVerdict, EqualBuildsAreSeldomAccused) {
  CounterRng rng({7});
  const auto draw = [&](size_t rounds) {
    Rounds out;
    for (size_t i = 0; i < rounds; ++i) out.push_back(100 * std::exp(0.3 * rng.uniform()));
    return out;
  };
  const auto accused = [](const RatioRange& ratio) {
    return ratio.range->first > 1 || ratio.range->second < 1;
  };
  int in_turn = 0, recorded = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto before = draw(12), now = draw(12);
    in_turn += accused(ratio_in_turn(before, now));
    recorded += accused(ratio_of_records(before, now));
  }
  EXPECT_LT(in_turn, 38);
  EXPECT_LT(recorded, 38);
  EXPECT_GT(in_turn + recorded, 0) << "the ranges are much too wide";
}

}  // namespace
}  // namespace wf::testing
