#include "data/augment/mixup.h"

#include "weightformer/core/check.h"

#include "core/distributions.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

namespace wf::testing {
namespace {

using Mode = MixupMode;

constexpr int kClasses = 7, kHeight = 12, kWidth = 10;

MixupOptions options(Mode mode, double mixup = 0.8, double cutmix = 1) {
  MixupOptions out;
  out.mode = mode;
  out.mixup_alpha = mixup;
  out.cutmix_alpha = cutmix;
  out.num_classes = kClasses;
  return out;
}

TEST(Beta, HasItsMeanAndVarianceForSmallAndLargeShapes) {
  constexpr int kDraws = 40000;
  for (const auto& [a, b] :
       {std::pair{0.2, 0.2}, {0.8, 0.8}, {1.0, 1.0}, {0.5, 2.0}, {5.0, 3.0}, {1e-4, 1e-4}}) {
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      CounterRng rng{17, static_cast<uint64_t>(i)};
      const double x = beta(a, b, rng);
      ASSERT_TRUE(x >= 0 && x <= 1) << a;
      sum += x;
      squares += x * x;
    }
    const double mean = a / (a + b), variance = mean * b / (a + b) / (a + b + 1);
    const double error = 5 * std::sqrt(variance / kDraws);
    EXPECT_NEAR(sum / kDraws, mean, error) << a;
    EXPECT_NEAR(squares / kDraws - mean * mean, variance, 2 * error) << a;
  }
}

TEST(Beta, OfOneAndOneIsUniform) {
  std::vector<int> bins(10, 0);
  for (uint64_t i = 0; i < 20000; ++i) {
    CounterRng rng{5, i};
    ++bins[std::min(9, static_cast<int>(beta(1, 1, rng) * 10))];
  }
  for (int count : bins) EXPECT_NEAR(count, 2000, 5 * 42.4);
}

// timm's definition, an image at a time, on copies.
struct Expected {
  at::Tensor images, targets;
};
Expected by_definition(const at::Tensor& images, const at::Tensor& labels,
                       const std::vector<Mix>& mixes, double smoothing) {
  const int64_t count = images.size(0);
  Expected out{images.clone(), torch::empty({count, kClasses})};
  for (int64_t i = 0; i < count; ++i) {
    const auto& mix = mixes[mixes.size() == 1 ? 0 : i];
    const int64_t partner = count - 1 - i;
    if (mix.cut) {
      for (int y = mix.box.top; y < mix.box.top + mix.box.height; ++y) {
        for (int x = mix.box.left; x < mix.box.left + mix.box.width; ++x) {
          for (int c = 0; c < 3; ++c) out.images[i][c][y][x] = images[partner][c][y][x];
        }
      }
    } else {
      out.images[i] = images[i] * mix.lambda + images[partner] * (1 - mix.lambda);
    }
    for (int k = 0; k < kClasses; ++k) {
      const auto hot = [&](int64_t label) {
        return (label == k ? 1 - smoothing : 0) + smoothing / kClasses;
      };
      out.targets[i][k] = mix.lambda * hot(labels[i].item<int64_t>()) +
                          (1 - mix.lambda) * hot(labels[partner].item<int64_t>());
    }
  }
  return out;
}

class MixupModes : public ::testing::TestWithParam<Mode> {};

TEST_P(MixupModes, ImagesAndTargetsAreThoseOfTheDefinition) {
  auto set = options(GetParam());
  set.probability = 0.9;
  const Mixup mixup(set);
  for (int64_t count : {1, 2, 5, 8}) {
    for (uint64_t key = 0; key < 12; ++key) {
      torch::manual_seed(key);
      auto images = torch::randn({count, 3, kHeight, kWidth});
      const auto labels = torch::randint(0, kClasses, {count}, torch::kLong);
      CounterRng rng{key};
      const auto expected = by_definition(images, labels, mixup.plan(count, kHeight, kWidth, rng),
                                          set.label_smoothing);
      const void* memory = images.data_ptr();
      // The general path, which a GPU takes, beside that of contiguous memory on a CPU.
      auto others = images.contiguous(at::MemoryFormat::ChannelsLast).clone();
      mixup(others, labels, CounterRng{key});
      EXPECT_TRUE(torch::allclose(others, expected.images, 1e-5, 1e-6)) << count << " " << key;
      const auto targets = mixup(images, labels, CounterRng{key});
      EXPECT_EQ(images.data_ptr(), memory) << "not in place";
      EXPECT_TRUE(torch::allclose(images, expected.images, 1e-5, 1e-6)) << count << " " << key;
      EXPECT_TRUE(torch::allclose(targets, expected.targets, 1e-5, 1e-6)) << count << " " << key;
      EXPECT_TRUE(torch::allclose(targets.sum(1), torch::ones({count}), 1e-5, 1e-5));
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, MixupModes, ::testing::Values(Mode::batch, Mode::pair, Mode::elem));

TEST(Mixup, PartnersShareADrawInPairModeAndNotInElemMode) {
  CounterRng rng{3};
  const auto pairs = Mixup(options(Mode::pair)).plan(5, kHeight, kWidth, rng);
  ASSERT_EQ(pairs.size(), 5u);
  EXPECT_EQ(pairs[0].lambda, pairs[4].lambda);
  EXPECT_EQ(pairs[1].lambda, pairs[3].lambda);
  EXPECT_EQ(pairs[2].lambda, 1) << "the middle has no partner";
  const auto each = Mixup(options(Mode::elem)).plan(4, kHeight, kWidth, rng);
  EXPECT_NE(each[0].lambda, each[3].lambda);
  EXPECT_EQ(Mixup(options(Mode::batch)).plan(4, kHeight, kWidth, rng).size(), 1u);
}

TEST(Mixup, LambdaOfACutIsTheShareItLeaves) {
  const Mixup mixup(options(Mode::elem, /*mixup=*/0));
  CounterRng rng{9};
  double sum = 0;
  const auto plan = mixup.plan(4000, 224, 200, rng);
  for (const auto& mix : plan) {
    ASSERT_TRUE(mix.cut);
    ASSERT_FLOAT_EQ(mix.lambda, 1 - static_cast<float>(mix.box.height * mix.box.width) / 44800.0f);
    ASSERT_LE(mix.box.top + mix.box.height, 224);
    ASSERT_LE(mix.box.left + mix.box.width, 200);
    sum += mix.lambda;
  }
  // The border cuts boxes: timm's own mean of 200,000 draws.
  EXPECT_NEAR(sum / 4000, 0.6808, 5 * 0.0030);
}

TEST(Mixup, MinmaxSetsTheSidesOfTheCut) {
  auto set = options(Mode::elem, 0, 0);
  set.cutmix_minmax = {0.25, 0.75};
  CounterRng rng{2};
  for (const auto& mix : Mixup(set).plan(500, 100, 40, rng)) {
    ASSERT_TRUE(mix.cut);
    ASSERT_TRUE(mix.box.height >= 25 && mix.box.height < 75);
    ASSERT_TRUE(mix.box.width >= 10 && mix.box.width < 30);
  }
  set.cutmix_minmax = {0.5, 0.5};
  EXPECT_EQ(Mixup(set).plan(1, 100, 40, rng)[0].box.height, 50);
}

TEST(Mixup, TheTwoProbabilitiesDecideHowOftenAndWhich) {
  auto set = options(Mode::elem);
  set.probability = 0.6;
  set.switch_probability = 0.3;
  CounterRng rng{1};
  int mixed = 0, cut = 0;
  for (const auto& mix : Mixup(set).plan(10000, 64, 64, rng)) {
    mixed += mix.cut || mix.lambda != 1;
    cut += mix.cut;
  }
  EXPECT_NEAR(mixed, 6000, 5 * 49);
  EXPECT_NEAR(cut, 1800, 5 * 38.4);
}

TEST(Mixup, TheKeyDecides) {
  const Mixup mixup(options(Mode::pair));
  const auto labels = torch::arange(6);
  const auto draw = [&](uint64_t key) {
    auto images = torch::arange(6 * 3 * 16, torch::kFloat).view({6, 3, 4, 4});
    return std::pair{mixup(images, labels, CounterRng{key}), images};
  };
  EXPECT_TRUE(torch::equal(draw(4).first, draw(4).first));
  EXPECT_TRUE(torch::equal(draw(4).second, draw(4).second));
  EXPECT_FALSE(torch::equal(draw(4).first, draw(5).first));
}

TEST(Mixup, RefusesWhatItCannotDo) {
  EXPECT_THROW(Mixup(options(Mode::batch, 0, 0)), Error);
  auto set = options(Mode::batch);
  set.cutmix_minmax = {0.8, 0.2};
  EXPECT_THROW(Mixup{set}, Error);
  auto images = torch::zeros({4, 3, 2, 2});
  EXPECT_THROW(Mixup(options(Mode::batch))(images, torch::zeros({3}, torch::kLong), CounterRng{1}),
               Error);
}

}  // namespace
}  // namespace wf::testing
